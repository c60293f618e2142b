"""A target that counts for itself, and what must hold between its count, the ledgers and the database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from metrics.columns import OUTCOMES
from metrics.models import SessionMetric
from metrics.storage.aggregate import aggregate_rows, aggregate_run
from runs.db_clock import DbNow
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.groups import frozen_groups
from runs.load.profile import ClosedLoad, Load
from runs.models import Run, Session, Shard
from runs.workers.leases import SUSPECT_S
from tests.support.processes import ROOT, child_env, read_json_line
from tests.support.runs import a_run, living, shards, target
from tokenburn_site.local.process_groups import ProcessGroups

USERS = 100
Start = Callable[..., "subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Counting:
    """A running counting target."""

    url: str
    log: Path

    def received(self) -> list[tuple[int, str]]:
        """(monotonic ns, "session id/turn number") of each request, in order."""
        found = []
        for line in self.log.read_text(encoding="ascii").splitlines():
            at, _, turn = line.partition(" ")
            found.append((int(at), turn))
        return found

    def count(self) -> int:
        """Of requests, for who looks often."""
        return self.log.read_bytes().count(b"\n")

    def run(self, processes: int = 1, load: Load | None = None, groups: int = 1, **more: Any) -> Run:
        """A run of USERS users against it, in so many scenarios; every request says which turn it is."""
        spec = target(self.url, overrides={"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}})
        say = {"do": "say", "text": "turn {{ loop.index }} of {{ session.id }}"}
        scenario = {"history": "none", "steps": [{"do": "repeat", "times": 5, "steps": [say]}]}
        scenarios = [(1.0, {**scenario, "name": f"talk {number}"}) for number in range(groups)]
        load = load or ClosedLoad(users=USERS, duration_s=120)
        return a_run(processes, load, target=spec, scenarios=scenarios, **more)


@pytest.fixture
def answer_s() -> float:
    """How long an answer of `counting` takes. USERS users keep two cores busy at this pace; where they only have to be
    there and wait for answers, a file of tests has a slower one."""
    return 0.05


@pytest.fixture
def counting(family: ProcessGroups, tmp_path: Path, answer_s: float) -> Iterator[Counting]:
    with counting_target(family, tmp_path / "received", answer_s) as target:
        yield target


@contextmanager
def counting_target(family: ProcessGroups, log: Path, answer_s: float) -> Iterator[Counting]:
    argv = (sys.executable, "-m", "tests.support.servers.counting_target", str(log), "127.0.0.1", "0", str(answer_s))
    child = family.start(argv, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0)
    try:
        yield Counting(read_json_line(child)["url"], log)
    finally:
        family.stop(child)
        assert child.stdout is not None
        child.stdout.close()


@pytest.fixture
def start_worker(family: ProcessGroups, tmp_path: Path) -> Iterator[Start]:
    """`start_worker("load", "-c", "2", NAME="value")`: a Celery worker on this test's database and Redis."""
    with ExitStack() as stack:

        def start(queue: str, *flags: str, **env: str) -> subprocess.Popen[bytes]:
            name = f"{queue}{time.monotonic_ns()}@test"
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            celery = (sys.executable, "-m", "celery", "-A", "tokenburn_site", "worker")
            argv = (*celery, "--without-gossip", "--without-mingle", "-Q", queue, "-n", name, *flags)  # as `up` does
            child = family.start(argv, cwd=ROOT, env=child_env() | env, stdout=log, stderr=log)
            stack.callback(family.kill, child)
            return child

        yield start


def tree(pid: int) -> list[int]:
    """The process and all that come from it, children first."""
    below: dict[int, list[int]] = {}
    for child, parent in living():
        below.setdefault(parent, []).append(child)

    def all_of(root: int) -> list[int]:
        return [found for child in below.get(root, ()) for found in all_of(child)] + [root]

    return all_of(pid)


def age_leases() -> None:
    """As if the reaper had suspected them long ago: its action is tested, not its waiting time."""
    Shard.objects.filter(lease_until__isnull=False).update(lease_until=DbNow(-1), suspect_since=DbNow(-SUSPECT_S - 1))


def verdict_codes(run: Run) -> set[str]:
    """Of the reasons why the run is not trusted."""
    run.refresh_from_db()
    assert run.report is not None
    return {reason.partition(":")[0] for reason in run.report["verdict"]["reasons"]}


def ledger_lines(run: Run) -> list[dict[str, Any]]:
    return [
        orjson.loads(line)
        for shard in shards(run)
        if Path(shard.ledger_path).is_file()
        for line in Path(shard.ledger_path).read_bytes().splitlines()
    ]


def check_invariants(run: Run, counting: Counting) -> Counter[str]:
    """A and B, against the target's own count. Returns the outcomes."""
    run.refresh_from_db()
    assert run.status in RUN_TERMINAL
    rows = list(SessionMetric.objects.filter(run=run).values_list("id", "session_id", "number", "outcome", "sent_ns"))
    outcomes = Counter(outcome for *_, outcome, _ in rows)
    assert outcomes.keys() <= set(OUTCOMES)

    # A: what the target received is what was recorded as sent, each turn once; only unknown ones may not have arrived.
    received = [turn for _, turn in counting.received()]
    assert len(received) == len(set(received)), "a turn was sent twice"
    sent = {f"tb-{run.pk}-{session}/{number}": outcome for _, session, number, outcome, at in rows if at is not None}
    assert len(sent) == sum(at is not None for *_, at in rows), "a turn was recorded twice"
    assert set(received) <= sent.keys(), "a turn that the target received was not recorded"
    missed = Counter(sent[turn] for turn in sent.keys() - set(received))
    assert missed.keys() <= {"unknown", "aborted"}, (
        f"said to be answered, never arrived: {missed}, {len(received)}, {sorted(sent.keys() - set(received))[:5]}"
    )

    # B: ledger ids are database ids, and windows say what rows say.
    lines = ledger_lines(run)
    assert sorted(line["id"] for line in lines if line["k"] == "turn") == sorted(pk for pk, *_ in rows)
    opened = sorted(line["id"] for line in lines if line["k"] == "open")
    assert opened == sorted(Session.objects.filter(run=run).values_list("pk", flat=True))
    assert not Session.objects.filter(run=run, outcome="").exists()
    groups = len(frozen_groups(run.scenario_specs, run.load, run.target_spec))
    assert aggregate_rows(run.pk, groups=groups).from_turns() == aggregate_run(run.pk).from_turns()
    assert run.report is not None
    assert {word: run.report["turns"][word] for word in OUTCOMES} == {word: outcomes[word] for word in OUTCOMES}
    for shard in shards(run):
        assert shard.ledger_complete
        path = Path(shard.ledger_path)
        assert shard.ledger_offset == (path.stat().st_size if path.exists() else 0)
    return outcomes
