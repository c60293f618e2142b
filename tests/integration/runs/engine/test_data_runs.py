"""Whole runs with data: each row used once over two engines, and courses whose questions are asked in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from connectors.spec import build_target_spec
from runs.load.profile import ClosedLoad, OpenLoad
from runs.models import Run, RunStatus
from runs.planning.errors import RequestError
from runs.supervisor.local import run_local
from scenarios.importers import load_scenario
from tests.support.processes import Mock
from tests.support.runs import a_run, talk, target

pytestmark = pytest.mark.django_db(transaction=True)

FAST = ("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "0", "--tokens", "3")
ROWS = [{"n": number, "text": f"row {number}"} for number in range(1, 24)]
ONCE = {**talk("{{ data.rows.text }}", name="once"), "data": {"rows": {"rows": ROWS, "use": "once"}}}


def held(run: Run) -> Run:
    assert run_local(run) is False
    run.refresh_from_db()
    return run


def said(run: Run, scenario: str = "once") -> Counter[str]:
    sessions = run.sessions.filter(scenario=scenario).values_list("pk", flat=True)
    return Counter(str(turn.message) for turn in run.turns.filter(session__in=list(sessions)))


def test_each_row_is_used_once_over_two_engines_and_then_the_load_ends(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock(*FAST)
    url = f"{mock.url}/v1"
    load = ClosedLoad(users=4, duration_s=120)
    asking = target(url, overrides={"request": {"headers": {"x-mock-tokens": "{{ session.data.rows.n }}"}}})
    run = held(a_run(2, load, scenarios=[(1.0, ONCE)], witness=True, target=asking))
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
    assert (run.load["conversations"], run.with_witness) == (23, False)
    assert said(run) == Counter(row["text"] for row in ROWS)
    # A header of the request came from the same row: the mock answers with so many tokens.
    answered = {(turn.message, turn.tokens_out) for turn in run.turns.all()}
    assert answered == {(row["text"], row["n"]) for row in ROWS}
    assert run.report is not None
    assert run.report["run"]["duration_s"] < 60
    assert mock.stats()["chat_requests"] == 23


def test_in_a_mix_each_row_is_used_once_as_well_and_no_conversation_begins_without_one(
    start_mock: Callable[..., Mock],
) -> None:
    mock = start_mock(*FAST)
    mix = [(1.0, ONCE), (2.0, talk("something else", name="other"))]
    run = held(a_run(2, OpenLoad(rate_per_s=200, duration_s=60), f"{mock.url}/v1", scenarios=mix))
    assert run.status == RunStatus.COMPLETED
    assert said(run) == Counter(row["text"] for row in ROWS)
    assert run.sessions.count() == run.load["conversations"] > 40


def test_more_engines_than_rows_are_refused() -> None:
    with pytest.raises(RequestError, match="data that is used once: a load of 23 conversations cannot be shared by 24"):
        a_run(24, ClosedLoad(users=30, duration_s=1), scenarios=[(1.0, ONCE)])


def test_every_session_asks_all_questions_of_both_courses_in_order_over_an_encrypted_websocket(
    start_mock: Callable[..., Mock],
) -> None:
    mock = start_mock(*FAST)
    nuc = build_target_spec(
        name="nuc",
        url=mock.url.replace("http", "ws") + "/nuc",
        preset="nuc",
        params={"course_id": "MED1060"},
        secrets={"api_key": "", "passphrase": "mock-passphrase"},
    )
    [spec] = load_scenario("course-questions")
    run = held(a_run(load=ClosedLoad(users=3, conversations=3), target=nuc, scenarios=[(1.0, spec)]))
    assert run.status == RunStatus.COMPLETED, run.reason
    rows: tuple[dict[str, Any], ...] = spec.data["courses"].rows
    questions = [question for row in rows for question in row["items"]]
    assert len(questions) == 40
    sessions = list(run.sessions.all())
    assert [session.outcome for session in sessions] == ["completed"] * 3
    for session in sessions:
        turns = run.turns.filter(session=session).order_by("number")
        assert list(turns.values_list("message", flat=True)) == questions
        for before, after in pairwise(turns):  # one after another
            assert (before.done_ns or 0) <= (after.sent_ns or 0)
    assert set(run.turns.values_list("outcome", flat=True)) == {"ok"}
