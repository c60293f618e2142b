"""A budget that several engines share: nothing beyond what is in flight when it is used up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runs.load.profile import parse_load
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.planning.estimate import estimate_run, known_answers
from runs.supervisor.local import run_local
from scenarios.render.walk import check_scenario
from tests.support.data.budgets import LOAD, TALK, overshoot, tokens
from tests.support.engines import Share, hold, read
from tests.support.processes import Mock, mock_chatbot
from tests.support.runs import a_run, in_background, shards, target, until
from tokenburn_site.local.process_groups import ProcessGroups

OF = 4
RUNS = 20
CEILING = 24_000
PRICES = {"mock": {"input": 10.0, "output": 1000.0}}


@pytest.fixture(scope="module")
def chatty(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    flags = ("--delay-ms", "2-30", "--tokens", "5-60", "--error-rate", "0.05", "--errors", "500")
    with mock_chatbot(family, *flags, log=tmp_path_factory.mktemp("mock") / "log") as mock:
        yield mock


def held(mock: Mock, folder: Path, budget: dict[str, Any], seed: int = 7, **more: Any) -> list[Share]:
    return hold(target(f"{mock.url}/v1"), TALK, {**LOAD, "budget": budget, **more}, folder, of=OF, seed=seed)


def test_a_ceiling_of_tokens_is_never_passed_by_more_than_what_is_in_flight(chatty: Mock, tmp_path: Path) -> None:
    """`python -m tests.bench.budget` does the same with processes and the database, and prints every run."""
    overs = []
    for number in range(RUNS):
        shares = held(chatty, tmp_path / str(number), {"tokens": CEILING}, number)
        assert {share.reason for share in shares} == {"budget: tokens: its share is used, counting turns in flight"}
        over, in_flight = overshoot(shares, CEILING)
        assert over <= in_flight
        overs.append(over / CEILING)
    assert max(overs) < 0.1
    assert sum(overs) / RUNS < 0.06, "what is in flight was not foreseen: a whole wave of answers came on top"
    assert min(overs) > -0.1


@pytest.mark.parametrize(
    ("load", "more"),
    [
        ({}, {}),
        ({}, {"overrides": {"reuse_connections": False}}),
        ({"user_profile": {"conversations_per_user": 3}}, {}),
        ({"user_profile": {"patience": {"within_s": {"mean": 0.015}, "then": "hedge"}}}, {}),
    ],
    ids=["plain", "each over a new connection", "several at once", "impatient users who send twice"],
)
def test_a_ceiling_of_turns_is_kept_to_the_turn(
    chatty: Mock, tmp_path: Path, load: dict[str, Any], more: dict[str, Any]
) -> None:
    data = {**LOAD, **load, "budget": {"turns": 203}}
    before = chatty.stats()["chat_requests"]
    shares = hold(target(f"{chatty.url}/v1", **more), TALK, data, tmp_path / "turns", of=OF)
    assert [len(share.turns) for share in shares] == [51, 51, 51, 50]
    assert {share.reason for share in shares} == {"budget: turns: its share is used up"}
    if "user_profile" not in load:
        assert all(turn["out"] in {"ok", "error"} for share in shares for turn in share.turns), "all are finished"
        assert chatty.stats()["chat_requests"] - before == 203


def test_money_is_counted_by_the_price_of_the_model(chatty: Mock, tmp_path: Path) -> None:
    shares = held(chatty, tmp_path / "cost", {"cost": 4.0, "prices": PRICES})
    turns = [turn for share in shares for turn in share.turns]
    spent = sum((turn["ti"] or 0) * 10 + (turn["to"] or 0) * 1000 for turn in turns) / 1e6
    assert {share.reason for share in shares} == {"budget: cost: its share is used, counting turns in flight"}
    assert spent == pytest.approx(4.0, rel=0.25)


def test_an_open_load_keeps_its_ceilings_too(chatty: Mock, tmp_path: Path) -> None:
    load = {"kind": "open", "rate_per_s": 300, "duration_s": 20, "budget": {"turns": 99}}
    shares = hold(target(f"{chatty.url}/v1"), TALK, load, tmp_path / "open", of=OF)
    assert sum(len(share.turns) for share in shares) == 99


def test_an_estimate_with_the_times_of_a_run_says_what_it_did(start_mock: Callable[..., Mock], tmp_path: Path) -> None:
    """Within 40 % for turns and answers, and 60 % for the input, whose tokens have slightly less than 4 characters.
    With its own times, because the machine may be twice as slow a moment later."""
    mock = start_mock("--delay-ms", "300-400", "--tokens", "20-40", "--error-rate", "0")  # a busy machine adds little
    spec = target(f"{mock.url}/v1")
    shapes = {"closed": {"users": 30, "duration_s": 2.0}, "open": {"rate_per_s": 120, "duration_s": 1.0}}
    for kind, shape in shapes.items():
        load = {"kind": kind, **shape}
        turns = [turn for share in hold(spec, TALK, load, tmp_path / kind, of=OF) for turn in share.turns]
        seconds = sum(turn["done"] - turn["sent"] for turn in turns) / len(turns) / 1e9
        known = known_answers(seconds, sum(turn["to"] or 0 for turn in turns) / len(turns), "measured")
        found = estimate_run(spec, [(1.0, check_scenario(TALK))], parse_load(load), assumption=known).likely
        assert len(turns) == pytest.approx(found.turns, rel=0.4)
        assert sum(turn["to"] or 0 for turn in turns) == pytest.approx(found.tokens_out, rel=0.4)
        assert sum(turn["ti"] or 0 for turn in turns) == pytest.approx(found.tokens_in, rel=0.6)


# --- whole runs: processes, database, report ------------------------------------------------------------------


def run_with(mock: Mock, budget: dict[str, Any], processes: int = OF, **load: Any) -> Run:
    data = {**LOAD, "budget": budget, **load}
    return a_run(processes, parse_load(data), f"{mock.url}/v1", scenarios=[(1.0, TALK)])


@pytest.mark.django_db(transaction=True)
def test_a_run_that_used_up_its_tokens_is_stopped_and_an_engine_that_was_killed_leaves_the_others_their_shares(
    start_mock: Callable[..., Mock],
) -> None:
    slow = start_mock("--delay-ms", "100-150", "--tokens", "5-60", "--error-rate", "0.05", "--errors", "500")
    ceiling = 60_000
    run = run_with(slow, {"tokens": ceiling, "prices": PRICES})
    thread = in_background(lambda: run_local(run))
    until(lambda: all(shard.ledger_path and turns_of(shard) > 20 for shard in shards(run)), 20)
    victim = shards(run)[2]
    assert victim.engine_pid is not None
    os.kill(victim.engine_pid, signal.SIGKILL)
    thread.join(30)
    run.refresh_from_db()
    ended = {shard.index: shard for shard in shards(run)}
    assert ended.pop(2).status == ShardStatus.LOST
    assert {shard.reason for shard in ended.values()} == {"budget: tokens: its share is used, counting turns in flight"}
    shares = [read(Path(shard.ledger_path)) for shard in shards(run)]
    over, in_flight = overshoot(shares, ceiling)
    unused = ceiling // OF - tokens(shares[2].turns)
    assert unused > 0
    assert over <= in_flight - unused, "what the killed one left is nobody's"
    assert run.status == RunStatus.FAILED
    report: Any = run.report
    assert report["budget"]["tokens"]["used"] == over + ceiling
    tokens_in, tokens_out = (report["tokens"][name] for name in ("input", "output"))
    assert report["cost"]["total"] == pytest.approx((tokens_in * 10 + tokens_out * 1000) / 1e6)


def turns_of(shard: Shard) -> int:
    path = Path(shard.ledger_path)
    return path.read_bytes().count(b'"k":"turn"') if path.exists() else 0


@pytest.mark.django_db(transaction=True)
def test_a_run_ends_by_its_budget_with_partial_results_the_warm_up_included(chatty: Mock) -> None:
    run = run_with(chatty, {"turns": 1000}, 2, warm_up_s=0.2)
    run_local(run)
    assert (run.status, run.reason) == (RunStatus.STOPPED, "budget: turns: the limit is reached")
    assert run.report is not None
    assert run.report["budget"] == {"ended_by": "turns", "turns": {"ceiling": 1000, "used": 1000, "over": 0}}
    assert run.report["excluded_turns"] > 0
    assert run.turns.count() == 1000


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ({"no_success_timeout_s": 1.0}, "budget: no_success: no turn was good since the start, and "),
        ({"errors": 60}, "budget: errors: "),
    ],
    ids=["no_success", "errors"],
)
def test_a_run_whose_target_fails_is_aborted(
    start_mock: Callable[..., Mock], budget: dict[str, Any], says: str
) -> None:
    failing = start_mock("--delay-ms", "20", "--error-rate", "1", "--errors", "500")
    run = run_with(failing, budget, 2, users=60, duration_s=60)
    run_local(run)
    assert run.status == RunStatus.ABORTED
    assert run.reason.startswith(says)
    assert "http_500" in run.reason or "errors: " in says
    assert run.report is not None and run.report["budget"] is not None
    assert run.report["budget"]["ended_by"] == says.split(": ")[1]
    assert run.ended_at is not None
    assert run.start_at is not None
    assert (run.ended_at - run.start_at).total_seconds() < 30
