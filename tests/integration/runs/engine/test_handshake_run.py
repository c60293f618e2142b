"""Turns of several requests behind a handshake, in a run: a refused turn is sent again as a turn of its own, and each
step and each part has its metric."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from metrics.report.terminal import report_text
from runs.load.profile import ClosedLoad
from runs.models import RunStatus
from runs.supervisor.local import run_local
from tests.hostile import http
from tests.hostile.table import whole
from tests.integration.connectors.scripted import Asked, says, scripted
from tests.support.runs import a_run, talk, target

pytestmark = pytest.mark.django_db(transaction=True)
USERS = 3
TURNS = 4
HANDSHAKE = {
    "steps": [
        {"name": "token", "url": "/token", "save": {"token": "token"}, "per": "run"},
        {"name": "chat", "url": "/chat", "body": {"token": "{{ saved.token }}"}, "save": {"chat": "chat"}},
    ],
    "goodbye": [{"name": "leave", "url": "/chat/{{ saved.chat }}"}],
}
REQUEST = {
    "path": "/say/{{ saved.chat }}",
    "headers": {"Authorization": "Bearer {{ saved.token }}"},
    "save": {"job": {"header": "Location"}},
}
THEN = [{"name": "fetch", "url": "{{ saved.job }}"}]


class Bot:
    """Lets a token live for three turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._said: dict[str, int] = {}
        self._left = 0

    def __call__(self, request: Asked) -> bytes:
        with self._lock:
            number = next(self._numbers)
            if request.path == "/token":
                return says({"token": f"t{number}"})
            if request.path == "/chat":
                return says({"chat": f"c{number}"})
            if request.method == "DELETE":
                self._left += 1
                return whole(b"", status="500 No" if self._left == 1 else "204 Gone")
            if request.path == "/job":
                return whole(http.GOOD)
            token = request.headers["authorization"]
            self._said[token] = self._said.get(token, 0) + 1
            expired = self._said[token] > 3
        return whole(b'{"error":"expired"}', status="401 No") if expired else says({}, "202 Accepted", "Location: /job")


def test_a_refused_turn_is_said_again_and_both_are_counted() -> None:
    with scripted(Bot()) as bot:
        spec = target(bot.url, overrides={"handshake": HANDSHAKE, "request": REQUEST, "then": THEN})
        scenario = talk(*(f"turn {number}" for number in range(TURNS)))
        load = ClosedLoad(users=USERS, conversations=USERS * 2)
        run = a_run(1, load, target=spec, scenarios=[(1.0, scenario)])
        run_local(run)
        run.refresh_from_db()
        asked = [path for path in bot.paths if "/say/" in path]
        steps = [path.removeprefix("POST /") for path in bot.paths if "/say/" not in path]
        left = [path for path in bot.paths if path.startswith("DELETE /chat/c")]
        fetched = bot.paths.count("GET /job")
    assert run.status == RunStatus.COMPLETED, run.reason
    assert run.report is not None
    refused = run.turns.filter(code="http_401").count()
    assert refused >= 1
    assert run.report["turns"]["sent"] == run.turns.count() == len(asked)
    assert run.report["turns"]["ok"] == run.turns.exclude(code="http_401").count()
    done = [turn.handshake or {} for turn in run.turns.all()]
    well = [turn.handshake or {} for turn in run.turns.filter(outcome="ok")]
    for step in ("token", "chat"):
        assert sum(step in times for times in done) == steps.count(step), "each step done is some turn's"
        metric = run.report["metrics"][f"handshake_{step}_ms"]
        assert metric["count"] == sum(step in times for times in well) >= 1
        assert (metric["p50"] or 0) > 0
    metrics = run.report["metrics"]
    assert metrics["then_request_ms"]["count"] == metrics["then_fetch_ms"]["count"] == len(well) == fetched
    assert (metrics["e2e_ms"]["min"] or 0) > (metrics["then_fetch_ms"]["min"] or 0) > 0
    assert steps.count("chat") > USERS * 2
    assert steps.count("token") > 1
    assert len(left) == len(set(left)) == metrics["goodbye_leave_ms"]["count"] == USERS * 2
    assert run.report["goodbye_errors"] == {"http_500": 1}
    assert "1 conversation whose last request failed: http_500 1" in report_text(run.report)
