"""Parsers of option values. They raise ArgumentTypeError with a remedy."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from metrics.shares import parse_share

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_AMOUNT = r"(\d+(?:\.\d+)?|\.\d+)"
_PART = re.compile(rf"{_AMOUNT}(ms|s|m|h)")
_RATE = re.compile(rf"{_AMOUNT}/(s|m|h)")
_NUMBER = re.compile(_AMOUNT)
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)")
_TIMES = {"": 1, "k": 1000, "m": 1_000_000}
TARGET_KINDS: Final[dict[str, type]] = {
    "name": str, "preset": str, "url": str, "stream": bool, "params": dict, "overrides": dict,
}  # fmt: skip
TARGET_EXAMPLE: Final = '{"preset": "openai-chat", "url": "http://127.0.0.1:8000/v1", "params": {"model": "m"}}'
_SHARE = re.compile(rf"{_AMOUNT}%?")


def share(text: str) -> float:
    """`30%` or `0.3`: above 0; the load says how much it may be."""
    number = parse_share(text) if _SHARE.fullmatch(text) else 0.0
    if number <= 0:
        raise ArgumentTypeError(f"{text!r} is not a share: write for example 30% or 0.3")
    return number


def duration(text: str) -> float:
    """Seconds of `30s`, `2m`, `1h`, `500ms` or `1m30s`."""
    parts = _PART.findall(text)
    if not parts or "".join(amount + unit for amount, unit in parts) != text:
        if _NUMBER.fullmatch(text):
            raise ArgumentTypeError(f"{text!r} has no unit: write {text}s, {text}m or {text}h")
        raise ArgumentTypeError(f"{text!r} is not a duration: write for example 30s, 2m, 1m30s or 500ms")
    seconds = sum(float(amount) * SECONDS[unit] for amount, unit in parts)
    if seconds <= 0:
        raise ArgumentTypeError("a duration must be longer than zero")
    return seconds


def pause(text: str) -> float:
    """A duration that may be zero."""
    return 0.0 if text in {"0", "0s"} else duration(text)


def rate(text: str) -> float:
    """Conversations per second of `20/s`, `300/m` or `5000/h`."""
    found = _RATE.fullmatch(text)
    if found is None:
        if _NUMBER.fullmatch(text):
            raise ArgumentTypeError(f"{text!r} has no unit: write {text}/s or {text}/m")
        raise ArgumentTypeError(f"{text!r} is not a rate: write for example 20/s or 300/m")
    per_s = float(found[1]) / SECONDS[found[2]]
    if per_s <= 0:
        raise ArgumentTypeError("a rate must be more than zero")
    return per_s


def stages(text: str) -> list[dict[str, float]]:
    """Stages of a load from `1m:50,5m:50,30s:0`: how long, and the level at the end; `0s` is a jump."""
    found = []
    for part in text.split(","):
        length, colon, level = part.strip().partition(":")
        if not colon or not _NUMBER.fullmatch(level):
            raise ArgumentTypeError(f"{part!r} is not a stage: write its length and final level, as in 1m:50")
        found.append({"duration_s": 0.0 if length == "0s" else duration(length), "to": float(level)})
    return found


def level(text: str) -> int:
    """A whole number from 0: a load may grow from nothing, or pause."""
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def level_rate(text: str) -> float:
    """As `rate`, or zero for a load that grows from nothing."""
    return 0.0 if re.fullmatch(r"0/[smh]", text) else rate(text)


def positive(text: str) -> int:
    """A whole number from 1."""
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def run(text: str) -> int:
    """A run's number, however large: that there is none is for the database to say."""
    return int(text) if re.fullmatch(r"[0-9]{1,4000}", text) and text.strip("0") else positive(text)


def seed(text: str) -> int:
    """A whole number that fits the database's column."""
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ArgumentTypeError(f"{text!r} is not a whole number of at most 18 digits")
    return int(text)


def overrides(text: str) -> dict[str, Any]:
    """What the JSON file of that name lays over a preset."""
    return json_object(text, '{"timeouts": {"total": 60}}')


def target_file(text: str) -> dict[str, Any]:
    """A target as `probe --learn --write` writes it and the API takes it."""
    found = json_object(text, TARGET_EXAMPLE)
    if unknown := sorted(found.keys() - TARGET_KINDS.keys()):
        raise ArgumentTypeError(f"{text}: there is no {', '.join(unknown)} in a target: see {TARGET_EXAMPLE}")
    for name, value in found.items():
        if not isinstance(value, TARGET_KINDS[name]):
            raise ArgumentTypeError(f"{text}: {name} is not of the right kind: write for example {TARGET_EXAMPLE}")
    if "preset" not in found:
        raise ArgumentTypeError(f"{text} names no preset: write for example {TARGET_EXAMPLE}")
    return found


def json_object(text: str, example: str) -> dict[str, Any]:
    """What the JSON file of that name says. Raises ArgumentTypeError, with the example, for all but an object."""
    try:
        found = json.loads(Path(text).read_text(encoding="utf-8"))
    except OSError as exc:
        raise ArgumentTypeError(f"{text}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ArgumentTypeError(f"{text} is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise ArgumentTypeError(f"{text}: give a JSON object, for example {example}")
    return found


def param(text: str) -> tuple[str, Any]:
    """`key=value`: the value as JSON if it parses, else as text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ArgumentTypeError(f"{text!r} is not of the form key=value, for example max_tokens=64")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value


def count(text: str) -> int:
    """A whole number from 1: `5000`, `200k`, `1.5M`."""
    found = _COUNT.fullmatch(text)
    number = float(found[1]) * _TIMES[found[2].lower()] if found else 0.0
    if number < 1 or number > 1e12 or not number.is_integer():
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1: write for example 5000, 200k or 1.5M")
    return int(number)


class Syntax(NamedTuple):
    """How a value is written: what reads it, its name in the help, and how a default is shown."""

    read: Callable[[str], Any] | None
    metavar: str | None
    shown: Callable[[Any], str] = lambda value: value if isinstance(value, str) else f"{value:g}"


DURATION = Syntax(duration, "T", lambda seconds: f"{seconds:g}s")
PAUSE = Syntax(pause, "T", DURATION.shown)
RATE = Syntax(rate, "R")
WHOLE = Syntax(positive, "N")
COUNT = Syntax(count, "N")
SHARE = Syntax(share, "P", lambda part: f"{part:.0%}")
