"""How a test message shows what a handshake gave: most of it is as secret as what the handshake was given, and some of
it says nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from connectors.security.redact import MASK
from targets.learning.credentials.credential_like import looks_secret
from targets.secret_names import is_secret_name

_ORDINARY: Final = re.compile(
    r"\d{4}-\d\d-\d\d|v?\d{1,3}(?:\.\d{1,3}){1,3}|true|false|/[a-z_]{1,30}(?:/[a-z_]{1,30}){0,3}"
)
"""Dates, versions, flags, and paths of words: of all else somebody may make a secret."""
LONG: Final = 24
"""Characters of a value of which the first ones tell too little to use it."""
FIRST: Final = 4


def hidden(saved: Mapping[str, Any]) -> set[str]:
    """The texts among saved values that are shown nowhere."""
    return {
        value
        for name, value in saved.items()
        if isinstance(value, str) and (is_secret_name(name) or not _ORDINARY.fullmatch(value))
    }


def told(name: str, value: Any) -> str:
    """A value that a handshake saved under `name`: itself, its size, or nothing of it."""
    if is_secret_name(name):
        return MASK
    if not isinstance(value, str):
        return orjson.dumps(masked(value, looks_secret)).decode()
    if _ORDINARY.fullmatch(value):
        return value
    begins = f", begins with {value[:FIRST]}" if len(value) >= LONG else ""
    return f"{MASK} ({len(value)} characters{begins})"


def masked(value: Any, is_secret: Callable[[str], bool] = lambda text: False) -> Any:
    """A JSON document without the texts and numbers under names of secrets, and without texts that are some."""
    if isinstance(value, dict):
        return {key: _masked(key, inner, is_secret) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, is_secret) for inner in value]
    return MASK if isinstance(value, str) and is_secret(value) else value


def _masked(key: str, value: Any, is_secret: Callable[[str], bool]) -> Any:
    named = is_secret_name(key) and isinstance(value, str | int | float)
    return MASK if named and value else masked(value, is_secret)
