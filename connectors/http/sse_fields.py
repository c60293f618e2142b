"""Parses the lines of a server-sent event, for both lanes."""

from __future__ import annotations

from connectors.timeline.named import UNNAMED

COMMENT_BYTES = 300
"""Maximum length of a comment that is kept, because it may be the only text of an error."""


def name_of(value: bytes) -> str:
    """What a line `event:` names."""
    return value.removeprefix(b" ").decode(errors="replace") or UNNAMED
