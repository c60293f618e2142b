"""The answer to the POST of the split protocol."""

from __future__ import annotations

import pytest

from connectors.errors import Refused
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec
from connectors.timeline import Timeline
from connectors.timeline.acks import AckTimeline


def acknowledged(status: int) -> Timeline:
    turn = Timeline(ResponseMapping(ResponseSpec(delta="t", error="error")), planned_ns=0)
    ack = AckTimeline(turn)
    ack.sent(5, 70)
    ack.received(9, 30)
    ack.status = status
    ack.answer(10, b'{"ok": true}')
    ack.judge()
    return turn


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_message_that_was_taken_is_sent_and_not_answered(status: int) -> None:
    turn = acknowledged(status)
    assert (turn.sent_ns, turn.bytes_out, turn.bytes_in, turn.status) == (5, 70, 30, status)
    assert (turn.done_ns, turn.first_content_ns) == (None, None)


@pytest.mark.parametrize("status", [199, 300, 503])
def test_every_other_status_is_a_refusal(status: int) -> None:
    with pytest.raises(Refused) as caught:
        acknowledged(status)
    assert caught.value.code == f"http_{status}"
