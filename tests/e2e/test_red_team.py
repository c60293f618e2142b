"""The attacks of a red team in a chain, by somebody with rights on targets alone, against a whole site: it ends with
nothing. No byte leaves the allowed origins, no secret is found anywhere, no worker is lost, and work goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import test_up
from tests.e2e.red_team import attacker, by_targets, without_rights
from tests.e2e.red_team.attacker import Attacker
from tests.e2e.red_team.site import BROKER_PASSWORD, Site
from tests.support.attacks.planted import SECRETS, holds
from tests.support.processes import ROOT
from tests.support.servers.recording_target import Answer, RecordingTarget, recording_target
from tests.support.services import reserve_port, valkey_server
from tokenburn_site.local.ports import LOOPBACK
from tokenburn_site.local.process_groups import ProcessGroups

REVERSED = SECRETS["header"][::-1]
RUN_S = 90.0


@pytest.fixture
def elsewhere() -> Iterator[RecordingTarget]:
    with recording_target() as found:
        yield found


@pytest.fixture
def honest(elsewhere: RecordingTarget) -> Iterator[RecordingTarget]:
    """Where the secret may go. It sends whoever asks for /away to another server, with all that was sent."""
    with recording_target() as found:
        away = Answer(307, (("Location", f"{elsewhere.url}/taken".encode()),))
        found.answer = lambda asked: away if asked.target.startswith("/away") else Answer()
        yield found


@pytest.fixture
def site(
    family: ProcessGroups,
    var_dir: Path,
    tmp_path: Path,
    honest: RecordingTarget,
    migrated: Callable[[Path], Path],
) -> Iterator[Site]:
    migrated(var_dir)
    ports = test_up.Ports(reserve_port(), reserve_port(), reserve_port())
    with (
        valkey_server(family, ports.valkey, tmp_path / "broker", password=BROKER_PASSWORD) as url,
        test_up.running_up(ports, var_dir, is_forked=True, REDIS_URL=url),
    ):
        env = test_up.environment(var_dir) | {"REDIS_URL": url}
        ids = _rows(env, honest.url, f"http://{LOOPBACK}:{ports.mock}")
        yield Site(f"http://{LOOPBACK}:{ports.web}", var_dir, ports.valkey, ids)


def _rows(env: dict[str, str], *urls: str) -> dict[str, int]:
    made = subprocess.run(
        [sys.executable, "-m", "tests.e2e.red_team.rows", *urls],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    found: dict[str, int] = json.loads(made.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(420)
def test_the_chain_of_attacks_ends_with_nothing(
    site: Site, honest: RecordingTarget, elsewhere: RecordingTarget
) -> None:
    attacker.seen.clear()
    owner, mallory, friend = site.user("owner"), site.user("mallory"), site.user("friend")
    before = {word: site.processes(word) for word in ("worker", "beat", "daphne")}
    assert all(before.values())
    by_targets.write_into_the_broker(site, mallory)
    by_targets.read_the_secret(site, mallory, elsewhere)
    by_targets.send_the_secret_elsewhere(site, friend, elsewhere)
    by_targets.stop_the_site(site, mallory)
    without_rights.take_what_is_not_ones_own(site, mallory)
    without_rights.switch_tasks_off(site, site.user("looker"))
    without_rights.forge_messages(site)
    without_rights.stay_after_log_out(site)
    _run(owner, site.ids["plan"])
    honest.forget()
    _run(owner, site.ids["secret_plan"])
    assert [seen.values("x-api-key") for seen in honest.requests] == [[SECRETS["header"].encode()]] * 2
    without_rights.guess(site, "owner")
    assert {word: site.processes(word) for word in before} == before, "no process was lost or replaced"
    elsewhere.settle()
    assert (elsewhere.requests, elsewhere.broken) == ([], [])
    _find_the_secret_nowhere(site)
    assert owner.api("GET", "health/").json()["ok"] is True


def _run(owner: Attacker, plan: int) -> None:
    """The site still does what it is for."""
    run = owner.api("POST", "runs/", {"plan": plan}).json()["id"]
    deadline = time.monotonic() + RUN_S
    while (found := owner.api("GET", f"runs/{run}/").json())["status"] not in {"completed", "failed", "aborted"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    assert found["status"] == "completed", found


def _find_the_secret_nowhere(site: Site) -> None:
    """In no answer, file, log, row or key of the broker."""
    with site.broker_client() as client:
        stored = [client.dump(key) or b"" for key in client.scan_iter()]
    assert stored and len(attacker.seen) > 200
    files = [path for path in site.var_dir.rglob("*") if path.is_file()]
    assert {"tokenburn.sqlite3", "web.log"} <= {path.name for path in files}
    for place, data in [
        *(("an answer", body) for body in attacker.seen),
        *(("the broker", value) for value in stored),
        *((str(path), path.read_bytes()) for path in files),
    ]:
        assert not holds(data), place
        assert REVERSED.encode() not in data, place
