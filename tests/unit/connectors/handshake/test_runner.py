"""A handshake's steps as a lane carries them: in their order, and whatever goes wrong names its step."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.content.heads import AnswerHead
from connectors.errors import BrokenTransport, Refused, TurnError
from connectors.handshake.handshake import Handshake
from connectors.handshake.runner import StepTimeline, run_handshake
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget

STEPS: list[dict[str, Any]] = [
    {"name": "login", "url": "/login", "save": {"token": "token"}},
    {"name": "open", "url": "https://other.example/open/{{ saved.token }}"},
]


def handshake() -> Handshake:
    overrides = {"handshake": {"steps": STEPS}}
    spec = build_target_spec(
        name="t", url="http://bot.example/v1", preset="openai-chat", params={"model": "m"}, overrides=overrides
    )
    found = CompiledTarget(spec).handshake
    assert found is not None
    return found


def run(answers: list[tuple[int, bytes] | TurnError]) -> tuple[list[str], list[str], dict[str, Any]]:
    """Where the steps went, which were noted as done, and what they saved."""
    shared, progress = handshake(), Handshake.new_progress()
    noted: list[str] = []
    went: list[str] = []
    running = run_handshake(shared.requests(shared.of_session, progress, {}, {}), lambda name, _ns: noted.append(name))
    for (step, timeline), answer in zip(running, answers, strict=True):
        went.append(f"{step.endpoint.origin}{step.request.path}")
        if isinstance(answer, TurnError):
            running.throw(answer)
        elif answer[0] == 200:
            timeline.answer(1, answer[1])
            timeline.status = 200
        else:
            timeline.refused(*answer)
    return went, noted, progress.saved


def test_each_step_knows_what_the_one_before_gave() -> None:
    went, noted, saved = run([(200, b'{"token": "t1"}'), (200, b"{}")])
    assert went == ["http://bot.example/v1/login", "https://other.example/open/t1"]
    assert noted == ["login", "open"]
    assert saved == {"token": "t1"}


def test_a_refusal_names_its_step() -> None:
    with pytest.raises(Refused, match=r"http_403: handshake\.login: no"):
        run([(403, b"no")])


def test_a_broken_connection_names_its_step() -> None:
    with pytest.raises(BrokenTransport) as caught:
        run([(200, b'{"token": "t1"}'), BrokenTransport("connection_reset", "it broke")])
    assert caught.value.detail == "handshake.open: it broke"


def test_a_step_has_the_cookies_of_all_answers_on_its_way() -> None:
    shared = handshake()
    step = next(shared.requests(shared.of_session, Handshake.new_progress(), {}, {}))
    line = StepTimeline(step, 0)
    line.head(AnswerHead(302, "http://h/a", {"location": "/b"}, ("a=1",)))
    line.head(AnswerHead(200, "http://h/b", {}, ("b=2",)))
    assert line.last_head == AnswerHead(200, "http://h/b", {}, ("a=1", "b=2"))
