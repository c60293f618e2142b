"""Which of the recorded exchanges is the chat, if no preset says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from targets.learning.asking import ask_score
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.exchange import OPEN, Exchange
from targets.learning.rivals import message_of, rivals_of, text_of
from targets.learning.saying import said_in_whole
from targets.learning.text_like import is_id

_CHAT: Final = re.compile(
    r"chat|message|completion|\bask\b|conversation|generate|generation|invoke|quer|stream|bot|prompt|answer|assist|reply|talk|infer|predict|run"
)
_ASIDE: Final = re.compile(
    r"telemetr|analytic|track|collect|beacon|metric|\blogs?\b|sentry|login|log-in|oauth|feedback|suggest|title|config|health|csrf"
)
_STREAMS: Final = {"sse": 4.0, "ndjson": 4.0, "frames": 4.0, "json": 1.0, "text": 1.0}
TRIED: Final = 60
"""Exchanges that are looked into: each is compared with all presets."""
BEFORE: Final = 140
"""Exchanges before the last of them that may have given what it needs."""


def promising(exchanges: Sequence[Exchange], message: str) -> tuple[list[Exchange], list[Exchange]]:
    """Of many exchanges those that are looked into, in their order, and those that may be the chat."""
    numbers = sorted(range(len(exchanges)), key=lambda number: (_rough(exchanges[number], message), number))[-TRIED:]
    numbers.sort()
    last = numbers[-1] if numbers else 0
    kept = sorted({*numbers, *range(max(last - BEFORE, 0), last)})
    return [exchanges[number] for number in kept], [exchanges[number] for number in numbers]


def _rough(exchange: Exchange, message: str) -> float:
    """How likely it is the chat, without a look at what was said."""
    path = exchange.parts.path.lower()[:500]
    score = (2.0 if _CHAT.search(path) else 0.0) - (4.0 if _ASIDE.search(path) else 0.0)
    score += 2.0 if exchange.frames or (exchange.method == "POST" and exchange.body is not None) else 0.0
    score += 20.0 if message and message in exchange.body_text else 0.0
    answer = exchange.answer
    return score if answer is None else score + (_STREAMS[answer.kind] if answer.fine else -4.0)


def chat_of(exchanges: Sequence[Exchange], message: str) -> tuple[Exchange, Exchange | None, str]:
    """The chat's last turn, the turn before it, and the message where it is known. Raises LearnError if `message` is in
    none of them."""
    tried = list(exchanges)
    scores = [_score(one, message) for one in tried]
    best = max(range(len(tried)), key=lambda number: (scores[number], number))
    if (other := _answering(tried, scores, best, message)) != best:
        best, message = other, message_of(tried[best], message)
    if message and ask_score(tried[best], message) <= 0:
        raise LearnError(f"no recorded request holds the message {message[:60]!r}: give it as it was sent")
    last = max(
        n
        for n in range(best, len(tried))
        if n == best or (same_place(tried[n], tried[best]) and scores[n] > 0.5 * scores[best])
    )
    now = tried[last]
    before = next((one for one in reversed(tried[:last]) if same_place(one, now)), None)
    return now, before, message


def _answering(tried: list[Exchange], scores: list[float], best: int, message: str) -> int:
    """The best, or a request with the same message to which a text was answered, where the best has none."""
    said = message_of(tried[best], message)
    if text_of(tried[best], said):
        return best
    numbers = {id(one): number for number, one in enumerate(tried)}
    rivals = [numbers[id(one)] for one in rivals_of(tried[best], tried, said) if text_of(one, said)]
    return max(rivals, key=lambda number: (scores[number], number), default=best)


def _score(exchange: Exchange, message: str) -> float:
    score = min(ask_score(exchange, message), 100.0)
    path = unquote(exchange.parts.path).lower()
    score += (3.0 if _CHAT.search(path) else 0.0) - (6.0 if _ASIDE.search(path) else 0.0)
    score += 2.0 if exchange.method == "POST" or exchange.frames else 0.0
    answer = exchange.answer
    if answer is None:
        return score
    score += _STREAMS[answer.kind] if answer.fine else -4.0
    if answer.kind == "json" and answer.documents and said_in_whole(answer.documents[0], "").response:
        score += 3.0
    return score


def same_place(one: Exchange, other: Exchange) -> bool:
    """Whether two requests go to one address, whatever ids are in it."""
    shape = [_shape(exchange.parts.path) for exchange in (one, other)]
    return shape[0] == shape[1] and one.method == other.method and one.parts.netloc == other.parts.netloc


def _shape(path: str) -> list[str]:
    return ["" if OPEN in part or is_id(unquote(part)) else part for part in path.split("/")]
