"""Several hosts for real: PostgreSQL, Valkey and the target in one network namespace, a load worker in each of three
others, each with its own address, name and directory. The second host's clock is set two minutes ahead; the third one's
cable is pulled in the middle of a run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from metrics.models import SessionMetric
from runs.completion.reaper import reap_lost
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.workers import registry
from tests.integration.runs.conftest import Counting, check_invariants
from tests.support import databases
from tests.support.hosts import Network, clock_two_minutes_ahead, network, why_not
from tests.support.processes import ROOT, child_env, read_json_line
from tests.support.runs import alive, shards, until
from tests.support.services import create_postgres_database, postgres_server
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.valkey import answers, find_valkey, valkey_command

HOSTS = 3
AHEAD, CUT = 2, 3
"""The host whose clock is off, and the one that is cut off."""
USERS = 60
ANSWER_MS = 200
BROKER_PORT = 6400
SCENARIO = {
    "name": "talk",
    "history": "none",
    "steps": [{"do": "repeat", "times": 5, "steps": [{"do": "say", "text": "turn {{ loop.index }}"}]}],
}
HEADERS = {"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}}
Burn = Callable[[float], "subprocess.Popen[bytes]"]


@dataclass
class Farm:
    network: Network
    counting: Counting
    burn: Burn


@pytest.fixture
def farm(family: ProcessGroups, tmp_path: Path, settings: Any, transactional_db: None) -> Iterator[Farm]:
    reason = why_not()
    if reason:
        pytest.skip(f"needs network namespaces: {reason}")
    ahead = clock_two_minutes_ahead(tmp_path)
    if ahead is None:
        pytest.skip("a clock that is off needs a C compiler")
    with ExitStack() as stack:
        net = stack.enter_context(network(HOSTS))
        server = stack.enter_context(postgres_server(family, net.services, net.in_network(0)))
        settings.REDIS_URL = f"redis://{net.services}:{BROKER_PORT}/0"
        valkey = valkey_command(find_valkey(), BROKER_PORT, tmp_path, durable=False)
        open_to_all = ("--bind", net.services, "--protected-mode", "no")
        stack.callback(
            family.kill, family.start([*net.in_network(0), *valkey, *open_to_all], stdout=subprocess.DEVNULL)
        )
        config = databases.configuration(create_postgres_database(server, "farm"))
        stack.enter_context(databases.as_default(config))
        databases.migrate()
        until(lambda: answers(settings.REDIS_URL), what="Valkey")
        counting = stack.enter_context(_target(family, net, tmp_path))
        clocks = [ahead if number == AHEAD else [] for number in range(1, HOSTS + 1)]
        started = [_start_worker(stack, family, net, n, tmp_path, clock) for n, clock in enumerate(clocks, 1)]
        stack.callback(family.stop, *started, timeout_s=4.0)
        yield Farm(net, counting, _burner(stack, family, net, counting, tmp_path))


@contextmanager
def _target(family: ProcessGroups, net: Network, directory: Path) -> Iterator[Counting]:
    log = directory / "received"
    argv = [*net.in_network(0), sys.executable, "-m", "tests.support.servers.counting_target", str(log)]
    argv += [net.services, "0", str(ANSWER_MS / 1000)]
    child = family.start(argv, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0)
    assert child.stdout is not None
    with child.stdout:
        yield Counting(read_json_line(child)["url"], log)
        family.stop(child)


def _start_worker(
    stack: ExitStack, family: ProcessGroups, net: Network, number: int, tmp: Path, clock: list[str]
) -> subprocess.Popen[bytes]:
    own = tmp / f"host{number}"
    own.mkdir()
    for key in ("django.key", "secrets.key"):
        if (Path(django_settings.VAR_DIR) / key).exists():
            shutil.copy(Path(django_settings.VAR_DIR) / key, own)
    log = stack.enter_context((own / "worker.log").open("wb"))
    celery = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tokenburn_site",
        "worker",
        "-Q",
        "load",
        "-c",
        "2",
        "-n",
        "load@%h",
    ]
    env = child_env(TOKENBURN_VAR_DIR=str(own), TOKENBURN_REGION=f"r{number}")
    return family.start([*net.on(number), *clock, *celery], cwd=ROOT, env=env, stdout=log, stderr=log)


def _burner(stack: ExitStack, family: ProcessGroups, net: Network, counting: Counting, tmp: Path) -> Burn:
    (tmp / "overrides.json").write_text(json.dumps(HEADERS))
    (tmp / "talk.json").write_text(json.dumps(SCENARIO))

    def burn(seconds: float) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "manage.py", "burn", "--url", counting.url, "--preset", "openai-chat", "--model", "m"]
        argv += ["--overrides", str(tmp / "overrides.json"), "--scenario", str(tmp / "talk.json"), "--no-witness"]
        argv += ["--users", str(USERS), "--duration", f"{seconds}s", "--workers", "--processes", str(HOSTS)]
        log = stack.enter_context((tmp / "burn.log").open("ab"))
        env = child_env(TOKENBURN_SECRET_API_KEY="none")
        child = family.start([*net.on(0), *argv], cwd=ROOT, env=env, stdout=log, stderr=log)
        stack.callback(family.kill, child)
        return child

    return burn


def workers() -> dict[str, registry.Worker]:
    return {worker.host: worker for worker in registry.workers()}


def newest() -> Run:
    return Run.objects.latest("pk")


def of_shard(run: Run, host: str) -> list[tuple[float, str]]:
    """Times to the first byte (ms) and outcomes of the turns of that host's shard."""
    rows = SessionMetric.objects.filter(run=run, shard__host=host).exclude(first_byte_ns=None)
    found = rows.values_list("first_byte_ns", "sent_ns", "outcome")
    return [((first - sent) / 1e6, outcome) for first, sent, outcome in found if first is not None and sent is not None]


def check_the_clock_that_is_off_changes_nothing(run: Run) -> None:
    """The same load on the same target at the same time: the host whose clock is off, and one whose clock is right."""
    off, right = of_shard(run, f"host{AHEAD}"), of_shard(run, "host1")
    assert abs(len(off) - len(right)) < 0.2 * len(right)
    medians = [sorted(ms for ms, _ in turns)[len(turns) // 2] for turns in (off, right)]
    assert abs(medians[0] - medians[1]) < 20, medians
    assert all(ms >= ANSWER_MS for ms, _ in off), "an answer that was there before the target had sent it"
    assert {outcome for _, outcome in (*off, *right)} == {"ok"}
    for shard in shards(run):
        lines = [json.loads(line) for line in Path(shard.ledger_path).read_text().splitlines()]
        tail = lines[-1]
        if tail["reason"] == "done":
            assert (lines[0]["timestamps"], tail["timestamps"], tail["clock_steps"]) == ("kernel", "kernel", 0)
    walls = {shard.host: _head(shard)["t0_wall_ns"] / 1e9 for shard in shards(run)}
    assert 119 < walls[f"host{AHEAD}"] - walls["host1"] < 121, "the test itself: that clock has to be off"


def check_all_began_together(run: Run) -> None:
    assert run.report is not None
    error_ms = run.report["generator"]["start_error_ms"]
    assert error_ms is not None and error_ms < 50
    starts = [_head(shard)["t0_mono_ns"] for shard in shards(run)]  # one kernel: one CLOCK_MONOTONIC
    assert max(starts) - min(starts) < 50e6


def _head(shard: Shard) -> dict[str, Any]:
    with Path(shard.ledger_path).open("rb") as file:
        head: dict[str, Any] = json.loads(file.readline())
    return head


def test_three_hosts_of_which_one_is_cut_off_and_one_has_its_clock_two_minutes_ahead(farm: Farm) -> None:
    until(lambda: len([w for w in workers().values() if w.slots]) == HOSTS, 40, "a worker on each host")
    burning = farm.burn(12)
    until(lambda: farm.counting.count() > 5 * USERS, 40, "the run's full swing")
    run = newest()
    assert Counter(shard.host for shard in shards(run)) == dict.fromkeys((f"host{n}" for n in (1, 2, 3)), 1)
    until(lambda: run.turns.filter(shard__host=f"host{CUT}").exists(), what="something stored of the host to be cut")

    farm.network.pull(CUT)
    cut_at = time.monotonic()
    lost = next(shard for shard in shards(run) if shard.host == f"host{CUT}")
    engine = lost.engine_pid
    assert engine is not None and alive(engine)
    until(lambda: reaped(run), 60, "the run's end without the host that was cut off")  # C
    told_s = time.monotonic() - cut_at
    assert burning.wait(30) == 3
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert f"lost: host{CUT} went silent" in run.reason
    assert [shard.status for shard in shards(run) if shard.host != f"host{CUT}"] == [ShardStatus.DONE] * 2
    assert run.report is not None
    assert {s["host"]: s["stored"] for s in run.report["shards"]} == {"host1": True, "host2": True, "host3": False}
    until(lambda: not alive(engine), 30, "the end of the engine without a supervisor that holds its lease")  # D
    check_all_began_together(run)
    check_the_clock_that_is_off_changes_nothing(run)

    received = farm.counting.count()
    farm.network.mend(CUT)
    until(lambda: all_stored(run), 40, "a report with the rest of that ledger")
    outcomes = check_invariants(run, farm.counting)  # A and B
    assert outcomes["ok"] > 5 * USERS
    late = farm.counting.received()[received:]
    assert len(late) <= USERS, "requests that the network still held; nothing new was sent"
    assert "its ledger was stored afterwards" in run.report["run"]["reason"]
    assert told_s < 60
    until(lambda: f"host{CUT}" in workers(), 40, "the host among the workers again")
    check_the_clocks()
    check_all_began_together(run_over_all(farm))


def check_the_clocks() -> None:
    offsets = {host: worker.clock_offset_ms for host, worker in workers().items()}
    assert abs((offsets[f"host{AHEAD}"] or 0) - 120_000) < 1000
    assert abs(offsets["host1"] or 0) < 1000


def run_over_all(farm: Farm) -> Run:
    """Each run must do well; a host that has just come back may be known before it takes messages again."""
    for _ in range(3):
        assert farm.burn(3).wait(60) == 0
        run = newest()
        assert run.status == RunStatus.COMPLETED
        if {shard.host for shard in shards(run)} == {"host1", "host2", "host3"}:
            return run
    raise AssertionError("the host that came back gets nothing to do")


def reaped(run: Run) -> bool:
    """What a control worker does every few seconds."""
    reap_lost()
    return ended(run)


def all_stored(run: Run) -> bool:
    run.refresh_from_db(fields=["report"])
    return run.report is not None and all(shard["stored"] for shard in run.report["shards"])


def ended(run: Run) -> bool:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk) in RUN_TERMINAL
