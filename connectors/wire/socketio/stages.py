"""Stages of a Socket.IO connection before its first message."""

from __future__ import annotations

from typing import Final, Literal

Stage = Literal["opening", "asked", "connected", "joined"]
WAITED_FOR: Final[dict[Stage, str]] = {
    "opening": "no open packet",
    "asked": "no answer to CONNECT",
    "connected": "the event that is socketio.ready_event did not come",
}
"""What did not arrive, for the message of a time limit."""
