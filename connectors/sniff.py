"""What a streamed answer holds whose content type does not say so, by its first bytes. No I/O: both lanes."""

from __future__ import annotations

from connectors.headers import EVENTS, Style

_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b":")
_BOM = b"\xef\xbb\xbf"


def is_stream(style: Style, first: bytes) -> bool:
    """Whether a body that begins with `first` is what `style` asks for: server-sent events, or JSON one a line.

    False for `first` without a character yet, and for one document over several lines.
    """
    begin = first.removeprefix(_BOM).lstrip()
    if style.name == EVENTS.name:
        return begin.startswith(_FIELDS)
    return begin.startswith(b"{") and not begin[1:2].isspace()
