"""Interprets the end of a WebSocket between two turns, in both lanes."""

from __future__ import annotations

from connectors.errors import BrokenTransport, TurnError


def lost_between_turns(error: TurnError) -> TurnError:
    """The target ended a connection between two turns; used by both lanes."""
    advice = 'if the target goes on with a session over a new connection, set websocket.reconnect to "resume"'
    return BrokenTransport("connection_closed", f"between two turns: {error.detail or error.code}", advice)
