"""What is learned from the traffic of servers that nobody here wrote, as their makers' clients caused it."""

from __future__ import annotations

import json
from functools import cache

import pytest

from targets.learning.learn import learn
from targets.learning.proposal import Proposal
from tests.support.foreign.chats import ForeignChat, foreign_chats

CHATS = foreign_chats()
KNOWN = [chat for chat in CHATS if "untold" not in chat.expected]
RIGHT_OF_20 = 15
SECRETS = ("nuc-api-key-31415", "desk-token")


@cache
def learned(text: str) -> Proposal:
    """Several tests look at the same proposal."""
    return learn([text])


@pytest.mark.parametrize("chat", KNOWN, ids=str)
def test_the_target_is_the_one_that_was_asked(chat: ForeignChat) -> None:
    made, expected = learned(chat.text), chat.expected
    found = {"preset": made.preset, "stream": made.stream, "message": made.message, "params": made.params}
    assert found == {"params": {}, **{name: expected[name] for name in found if name in expected}}
    assert made.untold == []
    read = made.reading
    assert (read and read.text) == expected.get("text"), read
    assert "tokens" not in expected or (read and [read.tokens_in, read.tokens_out]) == expected["tokens"]


@pytest.mark.parametrize("chat", [chat for chat in CHATS if chat not in KNOWN], ids=str)
def test_what_cannot_be_told_is_said(chat: ForeignChat) -> None:
    assert any(chat.expected["untold"] in one for one in learned(chat.text).untold)


def test_no_secret_of_a_recording_is_in_a_proposal() -> None:
    texts = [chat.text for chat in CHATS]
    assert all(any(secret in text for text in texts) for secret in SECRETS)
    told = [json.dumps(learned(text).as_dict()) for text in texts]
    assert not [text for text in told if any(secret in text for secret in SECRETS)]


def test_20_chats_are_recorded_and_at_least_15_of_20_are_known() -> None:
    assert len(CHATS) >= 20
    assert len({chat.server for chat in CHATS}) >= 12
    assert len(KNOWN) * 20 >= len(CHATS) * RIGHT_OF_20
