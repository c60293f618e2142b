"""Whether an answer repeats another message than its own: long ones at once, short ones only where it is no chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from runs.engine.echoes import IN_A_ROW, Echoes

LONG = ("Where is my parcel?", "When does it come?", "Who brings it then?")
SHORT = ("q0", "q1", "q2", "q3")
WORDS = ("hi", "no", "yes", "ok")


def others(talk: Sequence[str], answer: Callable[[int], str], conversations: int) -> int:
    """How many answers are another's, in conversations of the messages of `talk`."""
    echoes, found = Echoes(), 0
    for _ in range(conversations):
        echoes.begin()
        found += sum(echoes.is_anothers(message, answer(number)) for number, message in enumerate(talk))
    return found


def behind(talk: Sequence[str], by: int) -> Callable[[int], str]:
    return lambda number: f"answer to {talk[number - by]!r}" if number >= by else "Hello, how can I help?"


@pytest.mark.parametrize("by", [1, 2])
def test_of_long_messages_each_answer_that_is_late_counts(by: int) -> None:
    assert others(LONG, behind(LONG, by), 1) == len(LONG) - by


@pytest.mark.parametrize(("talk", "by"), [(SHORT, 1), (SHORT, 2), (SHORT, 3), (("1", "2"), 1), (WORDS, 1)])
def test_of_short_messages_answers_count_that_are_always_late(talk: Sequence[str], by: int) -> None:
    late = 10 * (len(talk) - by)
    assert others(talk, behind(talk, by), 10) == late - IN_A_ROW


@pytest.mark.parametrize("talk", [LONG, SHORT, WORDS])
def test_answers_to_their_own_messages_do_not(talk: Sequence[str]) -> None:
    assert others(talk, lambda number: f"You said {talk[number]}, and {talk[number - 1]} before.", 20) == 0


def test_answers_that_repeat_nothing_do_not() -> None:
    assert others(SHORT, lambda _: "I see.", 50) == 0


def test_one_answer_that_holds_its_own_message_takes_the_others_back() -> None:
    asked = iter(range(1000))
    late = behind(SHORT, 1)

    def answers(number: int) -> str:
        return f"this is {SHORT[number]}" if next(asked) % 8 == 7 else late(number)

    assert others(SHORT, answers, 20) == 0


@pytest.mark.parametrize("seed", range(20))
def test_short_words_in_an_answer_by_chance_do_not(seed: int) -> None:
    rng = random.Random(seed)
    words = (*WORDS, "we", "can", "do", "that", "for", "you", "of", "course")
    assert others(WORDS, lambda _: " ".join(rng.choices(words, k=8)), 50) == 0
