"""What a request asks for, and what it gets: a plan drawn from dice that depend on the request, not on the clock.

The dice of an answer are seeded by the seed, the messages and how often just these messages came before. Answers
are therefore the same from run to run whatever else goes on at the same time; only where several clients send equal
messages at once do they share a set of answers in the order of their arrival. A client that wants its own set
sends a name of its own in `X-Mock-Conversation`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from random import Random

from mock_chatbot.behaviours import BEHAVIOURS
from mock_chatbot.errors import FAILURES, Failure
from mock_chatbot.options import Options
from mock_chatbot.text import Turn, count, sentences

KNOWN_REQUESTS = 200_000
"""Different requests whose occurrences are counted; beyond it the oldest start anew, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a dialect's request boils down to. `messages` are (role, text), the last one is answered."""

    messages: tuple[tuple[str, str], ...]
    stream: bool = False
    max_tokens: int | None = None
    conversation: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to be given. `finish` is "length" if max_tokens cut it, else "stop"."""

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
    """`failure` after `delay_s`, or else `reply`, which has the same delay."""

    reply: Reply
    failure: Failure | None


class Dice:
    """Hands out the random generator of each request."""

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
        return Random(key + number.to_bytes(8, "big"))  # noqa: S311 - repeatable on purpose


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def plan(ask: Ask, options: Options, rng: Random) -> Plan:
    """All dice are thrown every time and in this order, so that one option does not change what others bring about."""
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
