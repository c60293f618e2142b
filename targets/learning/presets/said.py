"""What a recorded request says in a place where a preset says the message within something else."""

from __future__ import annotations

import re
from typing import Any, Final

from targets.learning.text_like import ASKS, bare, said, weight

_TRANSCRIPT: Final = re.compile(r"(?:\A|\n)[Uu]ser: (.*?)(?=\n[A-Za-z]{2,20}: |\n[A-Za-z]{2,20}:\s*\Z|\Z)", re.DOTALL)
KEYS: Final = {"params.argument": ("argument", "arguments"), "params.key": ("key", "")}
"""By what a preset's expression names: the param for the key of the message, and the one for all other keys."""


def message_in(expression: str, given: Any) -> str:
    """The message in what the expression made; empty: it is not told."""
    if expression.strip() == "message" and isinstance(given, str):
        return given
    if "join" in expression and isinstance(given, str):
        return next(reversed(_TRANSCRIPT.findall(given)), "")
    key = _key_of(given) if _named(expression) else ""
    return str(given[key]) if key else ""


def params_in(expression: str, given: Any) -> dict[str, Any]:
    """The params that say under which key of an object the message stands, and what stands beside it."""
    named, key = _named(expression), _key_of(given)
    if named is None or not key:
        return {}
    own, others = named
    rest = {name: value for name, value in given.items() if name != key}
    if not others:
        return {} if rest else {own: key}
    return {own: key, others: rest}


def _named(expression: str) -> tuple[str, str] | None:
    return next((names for word, names in KEYS.items() if word in expression), None)


def _key_of(given: Any) -> str:
    """The key of an object whose text looks most like a message; empty: none."""
    texts = {key: value for key, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
    return max(texts, key=lambda key: said(texts[key]) + 0.5 * weight([bare(key)], ASKS), default="")
