"""Options, each a command-line flag and a request header, from one table.

`--error-rate 0.1` for the server is `X-Mock-Error-Rate: 0.1` for one request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from mock_chatbot.behaviours import BEHAVIOURS
from mock_chatbot.core.errors import FAILURES, InvalidOption

HEADER = "x-mock-"
CONVERSATION = "x-mock-conversation"
"""Not an option: tells apart conversations that say the same (see mock_chatbot.core.reply)."""

_OWN_KEYS = {
    *("id", "object", "created", "model", "choices", "usage", "error"),  # OpenAI
    *("response", "delta", "finish", "done", "text", "content", "index", "timestamp", "sessionId"),
    *("response_chunk", "message_id", "chat_user_id", "complete_response", "session_attributes"),  # NUC
}
_LIMIT = 1e7
"""Upper limit of a range, against hours of delay through a typo and answers that fill the memory."""


class Range(NamedTuple):
    """From low to high, both included; one number is both."""

    low: float
    high: float

    def draw(self, rng: Random) -> float:
        return rng.uniform(self.low, self.high)

    def draw_int(self, rng: Random) -> int:
        return rng.randint(round(self.low), round(self.high))


@dataclass(frozen=True, slots=True)
class Options:
    """How requests are answered."""

    behaviour: str
    error_rate: float
    errors: tuple[int, ...]
    delay_ms: Range
    itl_ms: Range
    tokens: Range
    reasoning: Range
    seed: int
    stamp: str

    @classmethod
    def default(cls) -> Options:
        return cls(**{name: option.parse(option.default) for name, option in OPTIONS.items()})

    def with_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> Options:
        """These options with those of the request's own `X-Mock-` headers. Raises InvalidOption."""
        changes: dict[str, Any] = {}
        for raw_name, value in headers:
            if raw_name.startswith(HEADER.encode()):
                header = raw_name.decode("latin-1")
                if header != CONVERSATION:
                    name = header.removeprefix(HEADER).replace("-", "_")
                    changes[name] = parse(name, value.decode("latin-1"), header)
        return replace(self, **changes) if changes else self


def parse(name: str, text: str, label: str) -> Any:
    """The value of option `name` from `text`. Raises InvalidOption, which names `label` and the valid values."""
    if name not in OPTIONS:
        raise InvalidOption(f"is not one of {', '.join(name.replace('_', '-') for name in OPTIONS)}", label)
    try:
        return OPTIONS[name].parse(text.strip())
    except ValueError as exc:
        raise InvalidOption(f"{exc}, not {text!r}", label) from exc


def _number_range(text: str) -> Range:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?", text)
    if not parts:
        raise ValueError("must be a number or a range such as 100-2000")
    found = Range(float(parts[1]), float(parts[2] or parts[1]))
    if not found.low <= found.high <= _LIMIT:
        raise ValueError(f"must be the lower and then the higher number, up to {_LIMIT:.0f}")
    return found


def _whole_range(text: str) -> Range:
    if "." in text:
        raise ValueError("must be a whole number or a range of them such as 40-160")
    return _number_range(text)


def _rate(text: str) -> float:
    message = "must be a number from 0 to 1"
    try:
        rate = float(text)
    except ValueError:
        raise ValueError(message) from None
    if math.isnan(rate) or not 0 <= rate <= 1:
        raise ValueError(message)
    return rate


def _statuses(text: str) -> tuple[int, ...]:
    known = {str(status): status for status in FAILURES}
    found = tuple(known[part.strip()] for part in text.split(",") if part.strip() in known)
    if not found or len(found) != len(text.split(",")):
        raise ValueError(f"must be some of {','.join(known)}")
    return found


def _behaviour(text: str) -> str:
    if text not in BEHAVIOURS:
        raise ValueError(f"must be one of {', '.join(BEHAVIOURS)}")
    return text


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise ValueError("must be a whole number")
    return int(text)


def _key(text: str) -> str:
    if text and (not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,31}", text) or text in _OWN_KEYS):
        raise ValueError(f"must be a plain name other than {', '.join(sorted(_OWN_KEYS))}")
    return text


class Option(NamedTuple):
    """How an option is parsed (raises ValueError with the valid form), its default as typed, and its help."""

    parse: Callable[[str], Any]
    default: str
    help: str


_STATUSES = ",".join(map(str, FAILURES))

OPTIONS: dict[str, Option] = {
    "behaviour": Option(_behaviour, "verbose", f"kind of answers: {', '.join(BEHAVIOURS)}"),
    "error_rate": Option(_rate, "0.05", "share of chat requests to answer with an error, 0 to 1"),
    "errors": Option(_statuses, "500,429,503", f"HTTP statuses of these errors, from {_STATUSES}"),
    "delay_ms": Option(_number_range, "100-2000", "ms until the first byte of an answer: a number or a range"),
    "itl_ms": Option(_number_range, "20", "ms between the tokens of a stream: a number or a range"),
    "tokens": Option(
        _whole_range,
        "40-160",
        "tokens per answer, except with echo: a number or a range",
    ),
    "reasoning": Option(_whole_range, "0", "reasoning tokens before the answer (OpenAI): a number or a range"),
    "seed": Option(_whole, "0", "seed of all random choices: the same seed and requests give the same answers"),
    "stamp": Option(_key, "", "name of the field with the send time of each chunk or answer (CLOCK_MONOTONIC, ns)"),
}
"""By the name of the field of Options. Ranges are drawn from once per answer."""
