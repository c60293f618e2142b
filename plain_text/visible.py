"""Text of a target, a file or a user, harmless on a terminal and in a log. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNSEEN = (
    # Unicode's categories Cc, Cf, Cs, Zl and Zp: controls, format characters (direction, zero width, tags), halves of
    # pairs, line and paragraph ends. A test compares these ranges with the Unicode database.
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a"
    # Letters without a shape, and the plane that hides bytes in tags and variation selectors.
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\U000e0000-\U000e0fff"
)
_ANY = re.compile(f"[{_UNSEEN}]")
_BUT_LINES = re.compile(f"(?!\n)[{_UNSEEN}]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: str, *, lines: bool = False) -> str:
    """`text` with every character that a terminal would obey or not show written as an escape such as `\\x1b`; on one
    line unless `lines`."""
    return (_BUT_LINES if lines else _ANY).sub(_escape, text)


def visible_tree(value: Any) -> Any:
    """The same for every text, on one line, in a JSON-like value; keys included."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible_tree(key): visible_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [visible_tree(item) for item in value]
    return value


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    code = ord(letter)
    if code < 0x100:
        return _SHORT.get(letter, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
