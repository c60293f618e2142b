"""Simulated users through a real engine, against a target and a mock that count for themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from connectors.spec import TargetSpec, build_target_spec
from metrics.models import SessionMetric
from metrics.storage.aggregate import aggregate_rows, aggregate_run
from runs.load.draws.sampling import Draws
from runs.load.profile import ClosedLoad
from runs.load.users import UserProfile
from runs.models import Run, RunStatus, Session
from runs.supervisor.local import run_local
from tests.integration.runs.conftest import Counting, check_invariants, ledger_lines
from tests.support.processes import Mock
from tests.support.runs import a_run, talk, target, until

pytestmark = pytest.mark.django_db(transaction=True)
StartMock = Callable[..., Mock]
MODELS = ["small", "middle", "large"]


def closed(users: int, conversations: int, **people: Any) -> ClosedLoad:
    return ClosedLoad(users=users, conversations=conversations, user_profile=UserProfile.model_validate(people))


def done(run: Run, status: RunStatus = RunStatus.COMPLETED) -> Run:
    run_local(run)
    run.refresh_from_db()
    assert run.status == status, run.reason
    return run


def unanswered(run: Run) -> Run:
    """A run without an awaited answer has failed: nothing was measured."""
    return done(run, RunStatus.FAILED)


# --- what is drawn ----------------------------------------------------------------------------------------------


def saying(url: str) -> TargetSpec:
    """Each request says in a header which turn it is and with which params."""
    turn = "{{ session.number }}/{{ turn }}/{{ params.model }}/{{ params.temperature }}/{{ params.max_tokens }}"
    return build_target_spec(
        name="counting",
        url=url,
        preset="openai-chat",
        params={"model": "own", "max_tokens": 9},
        overrides={"request": {"headers": {"x-turn": turn}}},
    )


def test_each_conversation_asks_for_what_its_number_draws(counting: Counting) -> None:
    people = {
        "models": MODELS,
        "temperature": [0.5, 1.0],
        "first_messages": {"share": 0.5, "low": 1, "high": 2},
    }
    say = {"name": "talk", "steps": [{"do": "say", "text": f"message {n}"} for n in range(3)]}
    load = closed(6, 30, **people)
    run = done(a_run(3, load, target=saying(counting.url), scenarios=[(1.0, say)], seed=11))

    draws = Draws(load.user_profile, 11)
    expected = []
    for number in range(30):
        drawn = draws.of(number)
        assert drawn.params is not None
        warmth = drawn.params["temperature"]
        expected += [f"{number}/{turn}/{drawn.model}/{warmth}/9" for turn in range(drawn.messages or 3)]
    assert Counter(turn for _, turn in counting.received()) == Counter(expected)
    assert len(expected) < 90

    assert set(Session.objects.filter(run=run).values_list("outcome", flat=True)) == {"completed"}
    rows: list[Any] = list(Session.objects.filter(run=run).values_list("model", "params", "turns", "group"))
    whole = [draws.of(number) for number in range(30)]
    assert Counter((model, turns, params["temperature"]) for model, params, turns, _ in rows) == Counter(
        (drawn.model, drawn.messages or 3, (drawn.params or {})["temperature"]) for drawn in whole
    )
    assert all(MODELS[group] == model for model, _, _, group in rows)
    opened = [line for line in ledger_lines(run) if line["k"] == "open"]
    assert {line["model"] for line in opened} == set(MODELS)


def test_without_people_a_run_is_what_it_was(counting: Counting) -> None:
    run = done(a_run(1, closed(2, 4), target=saying(counting.url)))
    assert counting.received() == []  # a header that names a param which is not there is left out
    assert run.turns.count() == 4
    opened = [line for line in ledger_lines(run) if line["k"] == "open"]
    assert all("model" not in line and "params" not in line for line in opened)


def test_a_user_may_hold_several_conversations_at_once(start_mock: StartMock) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "400", "--tokens", "2")
    run = done(a_run(2, closed(2, 12, conversations_per_user=3), url=f"{mock.url}/v1"))
    assert mock.stats()["max_in_flight"] == 6
    assert mock.stats()["chat_requests"] == run.turns.count() == 12
    assert Counter(Session.objects.filter(run=run).values_list("user_no", flat=True)) == {0: 6, 1: 6}


def test_people_think_between_messages_and_not_before_the_first(counting: Counting) -> None:
    think = {"pause_s": {"mean": 0.3}}
    run = counting.run(1, closed(4, 4, think=think))
    run_local(run)
    check_invariants(run, counting)
    turns: list[Any] = list(run.turns.order_by("session_id", "number").values_list("number", "planned_ns", "done_ns"))
    assert len(turns) == 20
    for before, after in pairwise(turns):
        if after[0]:
            assert after[1] - before[2] == 300_000_000


# --- patience ---------------------------------------------------------------------------------------------------


def impatient(then: str, within_s: float = 0.4, **more: Any) -> dict[str, Any]:
    return {"patience": {"within_s": {"mean": within_s}, "then": then, **more}}


SLOW = ("--error-rate", "0", "--delay-ms", "1200", "--itl-ms", "0", "--tokens", "4")
"""Longer than any wait here; answers themselves take no time."""


def outcomes(run: Run) -> Counter[tuple[str, str | None]]:
    return Counter(SessionMetric.objects.filter(run=run).values_list("outcome", "code"))


def ends(run: Run) -> Counter[tuple[str, str | None]]:
    return Counter(Session.objects.filter(run=run).values_list("outcome", "code"))


def over(mock: Mock, protocol: str) -> TargetSpec:
    if protocol == "websocket":
        return build_target_spec(name="mock", url=f"{mock.url.replace('http', 'ws', 1)}/ws", preset="generic-websocket")
    return target(f"{mock.url}/v1", stream=protocol == "sse")


@pytest.mark.parametrize("protocol", ["sse", "websocket"])
def test_who_leaves_is_recorded_once_and_the_target_counts_the_same(protocol: str, start_mock: StartMock) -> None:
    mock = start_mock(*SLOW)
    run = unanswered(a_run(1, closed(3, 6, **impatient("abandon")), target=over(mock, protocol)))
    assert outcomes(run) == {("aborted", "user_left"): 6}
    assert ends(run) == {("failed", "user_left"): 6}
    until(lambda: not mock.stats()["in_flight"])  # it sees that somebody left when it would write
    assert (mock.stats()["chat_requests"], mock.stats()["aborted"]) == (6, 6)
    assert run.report is not None and run.report["patience"] is not None
    assert run.report["patience"] == {
        "abandoned": 6,
        "resent": 0,
        "hedged": 0,
        "doubled": 0,
        "wasted_tokens": {"input": 6 * 2, "output": 0},
    }
    assert run.report["rates"]["error_rate"] == 1.0


@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_who_sends_again_leaves_after_so_many_times(protocol: str, start_mock: StartMock) -> None:
    mock = start_mock(*SLOW)
    run = unanswered(a_run(1, closed(3, 3, **impatient("resend", times=2)), target=over(mock, protocol)))
    assert outcomes(run) == {("aborted", "user_resent"): 6, ("aborted", "user_left"): 3}
    assert list(Session.objects.filter(run=run).values_list("turns", flat=True)) == [3] * 3
    assert mock.stats()["chat_requests"] == 9
    assert run.report is not None and run.report["patience"] is not None
    assert (run.report["patience"]["abandoned"], run.report["patience"]["resent"]) == (3, 6)
    planned: list[Any] = list(run.turns.order_by("session_id", "id").values_list("planned_ns", "done_ns"))
    first, second, *_ = planned
    assert 0.3e9 < first[1] - first[0] < 10e9
    assert second[0] == first[1]


def test_who_has_content_in_time_waits_for_the_rest(start_mock: StartMock) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "100", "--tokens", "10")
    patient = done(a_run(1, closed(2, 2, **impatient("abandon", 0.5)), target=over(mock, "sse")))
    assert outcomes(patient) == {("ok", None): 2}
    hasty = unanswered(a_run(1, closed(2, 2, **impatient("abandon", 0.5, until="done")), target=over(mock, "sse")))
    assert outcomes(hasty) == {("aborted", "user_left"): 2}
    assert hasty.report is not None and hasty.report["patience"] is not None
    wasted = hasty.report["patience"]["wasted_tokens"]
    assert wasted["output"] > 0
    assert wasted == {name: hasty.report["tokens"][name] for name in ("input", "output")}


@pytest.mark.parametrize("protocol", ["sse", "websocket"])
def test_who_sends_twice_gets_one_answer_and_wastes_the_other(protocol: str, start_mock: StartMock) -> None:
    mock = start_mock(*SLOW)
    people = impatient("hedge")
    run = done(a_run(1, closed(2, 2, **people), target=over(mock, protocol), scenarios=[(1.0, talk("a", "b"))]))
    assert outcomes(run) == {("ok", None): 4, ("aborted", "user_hedged"): 4}
    assert ends(run) == {("completed", None): 2}
    assert list(Session.objects.filter(run=run).values_list("turns", flat=True)) == [4] * 2
    counted = mock.stats()
    assert (counted["chat_requests"], counted["answers"]) == (8, 4)
    assert counted["max_in_flight"] >= 3  # of two users
    assert run.report is not None and run.report["patience"] is not None
    assert run.report["patience"]["hedged"] == 4
    assert aggregate_rows(run.pk).from_turns() == aggregate_run(run.pk).from_turns()
    assert run.report["patience"]["wasted_tokens"]["input"] > 0


def test_the_second_request_stands_in_where_the_first_fails(start_mock: StartMock) -> None:
    """Every turn still has one outcome, and the conversation continues with the answer that came."""
    mock = start_mock("--error-rate", "0.5", "--errors", "500", "--delay-ms", "300-600", "--seed", "5")
    run = done(a_run(1, closed(12, 24, **impatient("hedge", within_s=0.1)), target=over(mock, "http"), seed=3))
    found = outcomes(run)
    failed, doubled, ok = found["error", "http_500"], found["aborted", "user_hedged"], found["ok", None]
    assert failed > 5
    assert ok + failed + doubled == run.turns.count() == mock.stats()["chat_requests"] == 48
    assert ends(run)["completed", None] == ok
    for session in Session.objects.filter(run=run, outcome="failed"):
        assert set(session.metrics.values_list("outcome", flat=True)) == {"error"}


def test_some_users_are_patient_for_ever(start_mock: StartMock) -> None:
    mock = start_mock(*SLOW)
    run = done(a_run(2, closed(12, 24, **impatient("abandon", share=0.5)), url=f"{mock.url}/v1", seed=2))
    found = outcomes(run)
    assert found["ok", None] + found["aborted", "user_left"] == 24
    assert 4 < found["ok", None] < 20


def test_the_end_of_a_run_ends_both_requests_and_records_each(start_mock: StartMock) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "5000", "--tokens", "2")
    people = UserProfile.model_validate(impatient("hedge", within_s=0.3))
    run = a_run(1, ClosedLoad(users=3, duration_s=1.2, grace_s=0.1, user_profile=people), url=f"{mock.url}/v1")
    run_local(run)
    # The first message of each user waited for more than a second without an answer.
    found = outcomes(run)
    assert found.total() == 6
    assert set(found) <= {("timeout", "unanswered"), ("aborted", "stopped")}
    assert found["timeout", "unanswered"] >= 3
    assert ends(run) == {("failed", "unanswered"): 3}
    assert run.turns.exclude(sent_ns=None).count() == mock.stats()["chat_requests"] == 6
    assert list(Session.objects.filter(run=run).values_list("turns", flat=True)) == [2] * 3


def test_a_run_that_ends_cuts_who_would_send_again(start_mock: StartMock) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "5000", "--tokens", "2")
    people = UserProfile.model_validate(impatient("resend", within_s=0.6, times=9))
    run = a_run(1, ClosedLoad(users=3, duration_s=1.0, grace_s=5.0, user_profile=people), url=f"{mock.url}/v1")
    run_local(run)
    assert outcomes(run) == {("aborted", "user_resent"): 3, ("aborted", "stopped"): 3}
    assert ends(run) == {("truncated", "stopped"): 3}
    assert run.turns.count() == mock.stats()["chat_requests"] == 6
