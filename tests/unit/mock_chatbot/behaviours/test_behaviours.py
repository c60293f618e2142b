"""What each behaviour says."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from xml.etree import ElementTree

import pytest

from mock_chatbot.behaviours import BEHAVIOURS
from mock_chatbot.behaviours.repetitive import SENTENCES
from mock_chatbot.behaviours.text import Turn, count, split


def say(behaviour: str, message: str = "Hello", tokens: int = 50, seed: int = 1) -> list[str]:
    return list(BEHAVIOURS[behaviour](Turn(message, tokens, Random(seed))))


@pytest.mark.parametrize("behaviour", ["verbose", "xml", "repetitive"])
@pytest.mark.parametrize("tokens", [0, 1, 2, 7, 200])
def test_is_as_long_as_wanted(behaviour: str, tokens: int) -> None:
    assert len(say(behaviour, tokens=tokens)) == tokens


@pytest.mark.parametrize("behaviour", sorted(BEHAVIOURS))
def test_the_same_seed_gives_the_same_answer(behaviour: str) -> None:
    assert say(behaviour, seed=3) == say(behaviour, seed=3)


@pytest.mark.parametrize("behaviour", ["verbose", "xml", "repetitive"])
def test_another_seed_gives_another_answer(behaviour: str) -> None:
    assert len({"".join(say(behaviour, seed=seed)) for seed in range(20)}) > 1


@pytest.mark.parametrize("message", ["Hello", "", " ", "two  spaces\n and lines ", "日本語" * 20, "x" * 100, "🙂 é"])
def test_echo_is_exact(message: str) -> None:
    assert "".join(say("echo", message, tokens=1)) == message


@pytest.mark.parametrize("tokens", [1, 2, 5, 40])
def test_xml_is_well_formed(tokens: int) -> None:
    root = ElementTree.fromstring("".join(say("xml", tokens=tokens)))
    words = " ".join(str(point.text) for point in root.iter("point")).split()
    assert root.tag == "reply" and len(words) == tokens


def test_verbose_has_paragraphs_and_ends_its_last_sentence() -> None:
    text = "".join(say("verbose", tokens=300))
    assert text.count("\n\n") >= 3 and text.endswith(".") and not text.startswith((" ", "\n"))


def test_repetitive_repeats_one_sentence() -> None:
    text = "".join(say("repetitive", tokens=100))
    sentence = next(sentence for sentence in SENTENCES if text.startswith(sentence))
    assert text.count(sentence) >= 100 // len(sentence.split())


@pytest.mark.parametrize("text", ["", " ", "a", "a b", " a\n\nb  ", "x" * 25])
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(split(text)) == text and count(text) == len(split(text))


def test_long_words_are_several_tokens() -> None:
    assert split("x" * 25) == ["x" * 12, "x" * 12, "x"]
    assert all(later.startswith(" ") for _, later in pairwise(split("one two three")))
