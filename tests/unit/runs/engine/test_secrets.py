"""No message and no ledger line of an engine contains a secret of its target."""

from __future__ import annotations

import logging
import subprocess
import sys

import orjson
import pytest

from connectors.errors import BadAnswer
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from runs.engine.recording.turn_record import TurnLines, TurnRecord
from runs.supervisor.engine_process import Done, Fatal
from scenarios.render.walk import SayAction
from tests.support.processes import ROOT
from tests.support.runs import SECRET, target
from tests.unit.runs.supervisor.test_engine_process import an_order, engine, next_event


def test_a_turn_s_texts_are_recorded_without_secrets() -> None:
    compiled = CompiledTarget(target())
    turn = TurnRecord(Timeline(compiled.response, 0), 1, SayAction(f"my key is {SECRET}", 0))
    turn.failure = BadAnswer("json_invalid", f"not JSON: 'Bearer {SECRET}, and {SECRET[:12]}")
    turn.text = f"your key is {SECRET}, I think"
    line = TurnLines(compiled.redact, 16, counts_history=False, t0_ns=0).line(turn, [])
    assert line["detail"] == "not JSON: 'Bearer ***, and ***"
    assert (line["msg"], line["ans"]) == ("my key is ***", "your key is ***,")


def test_what_an_engine_says_is_redacted_once_more(caplog: pytest.LogCaptureFixture) -> None:
    events = [{"ev": "fatal", "code": "c", "message": f"no {SECRET}"}, {"ev": "done", "reason": f"aborted: {SECRET}"}]
    lines = [f"noise {SECRET}", *(orjson.dumps(event).decode() for event in events)]
    with caplog.at_level(logging.WARNING), engine(f"print({chr(10).join(lines)!r})") as process:
        assert next_event(process) == Fatal("c", "no ***", "")
        assert next_event(process) == Done("", "aborted: ***")
    assert "noise ***" in caplog.text and SECRET not in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"handshake": {"steps": [{"name": "token", "url": "{{ secret.api_key }}"}]}},
        {"codec": {"request": [{"name": "aes-gcm", "options": {"key": "{{ secret.api_key }}"}}]}},
        {"protocol": "{{ secret.api_key }}"},
    ],
)
def test_an_order_that_is_refused_is_refused_without_secrets(changes: dict[str, object]) -> None:
    spec = an_order()
    order = spec.model_dump(mode="json") | {"target": spec.target.wire_dict() | changes}
    done = subprocess.run(
        [sys.executable, "-m", "runs.engine"],
        input=orjson.dumps(order) + b"\n",
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert b'"order_invalid"' in done.stdout
    assert SECRET.encode() not in done.stdout + done.stderr
