"""Tokens and prose. A token here is a word of up to 12 characters with the white space before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

_TOKEN = re.compile(r"\s*\S{1,12}|\s+")

WORDS = re.findall(
    r"\w+",
    """
    answer assume balance before between careful change choice clear common compare consider context
    customer decision depends detail different effect either example explain factor finally first follow
    further general however idea important improve instead keep later likely little matter measure method
    moment moreover need notice often option order other overall part pattern people perhaps place plan
    point possible practice problem process question quickly rather reason recent result return second
    several should simple since single situation slowly small something sometimes start still support
    system table therefore thing think through together toward under usually value version various wait
    water while whole within without wonder work
    """,
)


class Turn(NamedTuple):
    """What a behaviour may use: the user's last message, the requested length in tokens, and its own random numbers."""

    message: str
    tokens: int
    rng: Random


def split(text: str) -> list[str]:
    """The tokens of `text`; joined they are exactly `text`."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    """Number of tokens of `text`."""
    return len(split(text))


def sentences(rng: Random, words: int) -> Iterator[list[str]]:
    """Sentences of 6 to 14 words, capitalised and with a full stop, `words` words in all."""
    while words > 0:
        sentence = rng.choices(WORDS, k=min(words, rng.randint(6, 14)))
        words -= len(sentence)
        sentence[0] = sentence[0].capitalize()
        sentence[-1] += "."
        yield sentence
