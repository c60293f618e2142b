"""The plan of a reply, drawn from random numbers that depend on the request, not on the clock.

The random generator of an answer is seeded by the seed, the messages and how often the same messages came before.
Answers are therefore the same in each run, whatever happens at the same time; only clients that send equal messages at
the same time share a set of answers in the order of arrival. A client that needs its own set sends a unique name in
`X-Mock-Conversation`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from random import Random

from mock_chatbot.behaviours import BEHAVIOURS
from mock_chatbot.behaviours.text import Turn, count, sentences
from mock_chatbot.core.errors import FAILURES, Failure
from mock_chatbot.core.options import Options

KNOWN_REQUESTS = 200_000
"""Number of different requests whose occurrences are counted; beyond it the oldest are forgotten, so memory stays
bounded."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The relevant content of a request in any dialect. `messages` are (role, text); the last one is answered."""

    messages: tuple[tuple[str, str], ...]
    stream: bool = False
    max_tokens: int | None = None
    conversation: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A planned answer. `finish` is "length" if max_tokens cut it, otherwise "stop"."""

    id: str
    delay_s: float
    itl_s: float
    reasoning: tuple[str, ...]
    tokens: tuple[str, ...]
    finish: str
    input_tokens: int

    @property
    def output_tokens(self) -> int:
        """Reasoning counts, as it does in OpenAI's usage."""
        return len(self.reasoning) + len(self.tokens)


@dataclass(frozen=True, slots=True)
class Plan:
    """`failure` after `delay_s`, or `reply`, which has the same delay."""

    reply: Reply
    failure: Failure | None


class Dice:
    """Creates the random generator of each request."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def reset(self) -> None:
        self._seen.clear()

    def roll(self, seed: int, ask: Ask) -> Random:
        """The generator of the n-th request that says this."""
        key = _digest(repr((seed, ask.conversation, ask.messages)).encode("utf-8", "surrogatepass"))
        number = self._seen.pop(key, 0)
        self._seen[key] = number + 1
        if len(self._seen) > KNOWN_REQUESTS:
            self._seen.popitem(last=False)
        return Random(key + number.to_bytes(8, "big"))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def plan(ask: Ask, options: Options, rng: Random) -> Plan:
    """All random numbers are drawn every time and in this order, so that one option does not change the effect of
    others."""
    fails, status = rng.random() < options.error_rate, rng.choice(options.errors)
    delay_s, itl_s = options.delay_ms.draw(rng) / 1000, options.itl_ms.draw(rng) / 1000
    length, thinking = options.tokens.draw_int(rng), options.reasoning.draw_int(rng)
    reply_id = f"{rng.getrandbits(96):024x}"
    thoughts = tuple(f"{word} " for sentence in sentences(rng, thinking) for word in sentence)

    turn = Turn(ask.messages[-1][1], length, rng)
    answer = BEHAVIOURS[options.behaviour](turn)
    limit = ask.max_tokens
    tokens = tuple(islice(answer, None if limit is None else max(0, limit - len(thoughts))))
    cut = limit is not None and (len(thoughts) > limit or next(answer, None) is not None)
    reply = Reply(
        id=reply_id,
        delay_s=delay_s,
        itl_s=itl_s,
        reasoning=thoughts[:limit],
        tokens=tokens,
        finish="length" if cut else "stop",
        input_tokens=sum(count(text) for _, text in ask.messages),
    )
    return Plan(reply, FAILURES[status] if fails else None)
