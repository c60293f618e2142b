"""Secrets planted in every field of a target that says all of it back are found nowhere afterwards."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.test import Client

from connectors.security.redact import MASK
from metrics.models import SessionMetric
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import PlanScenario, Run, TestPlan, Webhook
from runs.services import request_run
from runs.webhooks.deliver import deliver_due
from runs.webhooks.secrets import give_secrets
from scenarios.models import Scenario
from targets.models import Target
from tests.integration.runs.conftest import Start, tree
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY
from tests.support.attacks.planted import SECRETS, Planted, core, holds, planted, secret
from tests.support.credentials import boss, keep
from tests.support.processes import ROOT, child_env, read_json_line
from tests.support.runs import until
from tokenburn_site.local.process_groups import ProcessGroups

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


@pytest.fixture
def echoing(family: ProcessGroups) -> Iterator[dict[str, str]]:
    argv = (sys.executable, "-m", "tests.support.servers.echoing_target")
    child = family.start(argv, cwd=ROOT, stdout=subprocess.PIPE, bufsize=0)
    try:
        yield read_json_line(child)
    finally:
        family.stop(child)
        assert child.stdout is not None
        child.stdout.close()


def plan_for(name: str, item: Planted, scenario: Scenario) -> TestPlan:
    target = Target(name=name, url=item.url, preset=item.preset, stream=item.stream, overrides=item.overrides)
    target.full_clean()
    keep(target, SECRETS)
    made = TestPlan.objects.create(name=name, target=target, load=item.load)
    PlanScenario.objects.create(plan=made, scenario=scenario)
    return made


class Watch:
    """Command lines and environments of the processes below `roots`, as often as they can be read."""

    def __init__(self) -> None:
        self.roots: list[int] = []
        self.commands: set[bytes] = set()
        self.found: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for pid in [pid for root in list(self.roots) for pid in tree(root)]:
                for name in ("cmdline", "environ"):
                    with suppress(OSError):
                        data = Path(f"/proc/{pid}/{name}").read_bytes()
                        self.found += [f"{name} of {pid}"] * bool(holds(data))
                        if name == "cmdline":
                            self.commands.add(data)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def overheard(url: str) -> Iterator[list[str]]:
    """Every command that Redis gets meanwhile: the messages of Celery, the live streams, what pages are told."""
    heard: list[str] = []
    client = redis.Redis.from_url(url)
    monitor = client.monitor()  # type: ignore[no-untyped-call]  # redis-py types its commands, not this
    monitor.__enter__()

    def listen() -> None:
        with suppress(redis.RedisError, OSError, ValueError, AttributeError):
            for command in monitor.listen():
                heard.append(str(command["command"]))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield heard
    finally:
        client.client_kill_filter(skipme=True)
        thread.join(10)
        with suppress(redis.RedisError):
            monitor.__exit__(None, None, None)
        client.close()


def redis_values(url: str) -> Iterator[bytes]:
    client = redis.Redis.from_url(url)
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    for key in client.scan_iter():
        yield key + repr(read[cast(bytes, client.type(key))](key)).encode()
    client.close()


def pages(client: Client, runs: list[Run]) -> Iterator[tuple[str, bytes]]:
    """Every page and every answer of the API, filled with each run's numbers; of its turns, some that failed. What
    shows nothing of one run, and the list of what was done to a row in the admin, are not asked for of another."""
    seen: set[str] = set()
    enough: set[str] = set()
    hook = Webhook.objects.get()
    for run in runs:
        plan = run.plan or TestPlan.objects.earliest("pk")  # burn's run has none
        turns = SessionMetric.objects.filter(run=run)
        kinds = {turn.code: turn.pk for turn in turns}.values()
        numbers: dict[str, list[int]] = {
            "targets": [plan.target_id],
            "testplan": [plan.pk],
            "plans": [plan.pk],
            "scenario": [plan.mix.get().scenario_id],
            "session": list(run.sessions.values_list("pk", flat=True)[:1]),
            "sessionmetric": list(kinds)[:4],
            "webhook": [hook.pk],
            "webhooks": [hook.pk],
        }
        for address in [one for one in EVERY if one not in enough and "logout" not in one]:
            known = next((found for part, found in numbers.items() if f"/{part}/" in address), [run.pk])
            for concrete in {address.replace("/1/", f"/{number}/") for number in known} - seen:
                seen.add(concrete)
                answer = client.get(concrete)
                if answer.status_code == 200:
                    yield concrete, answer.getvalue()
                if answer.status_code != 200 or address.endswith("/history/"):
                    enough.add(address)


def burnt(target: str, tmp_path: Path, watch: Watch) -> list[bytes]:
    """`manage.py burn` on a stored target: all that it prints and writes."""
    page = tmp_path / "report.html"
    argv = ["burn", "--target", target, "--prompt", "hello", "--users", "4", "--conversations", "40"]
    argv += ["--json", "-", "--html", str(page)]
    child = subprocess.Popen(
        [sys.executable, "manage.py", *argv], cwd=ROOT, env=child_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    watch.roots.append(child.pid)
    out, err = child.communicate(timeout=90)
    assert b'"turns"' in out, err
    return [out, err, page.read_bytes()]


def ended(runs: list[Run]) -> bool:
    return not Run.objects.filter(pk__in=[run.pk for run in runs]).exclude(status__in=RUN_TERMINAL).exists()


def test_secrets_in_every_field_are_found_nowhere(
    echoing: dict[str, str], start_worker: Start, valkey: str, tmp_path: Path, client: Client
) -> None:
    watch = Watch()
    try:
        worker = start_worker("load", "-c", "5")
        watch.roots.append(worker.pid)
        scenario = Scenario.objects.create(
            name="talk", spec={"name": "talk", "steps": [{"do": "say", "text": text} for text in ("hello", "again")]}
        )
        with overheard(valkey) as heard:
            hook = hook_to(echoing["http"])
            plans = [plan_for(name, item, scenario) for name, item in planted(**echoing).items()]
            runs = [request_run(plan, boss()) for plan in plans]
            until(lambda: ended(runs), 120, "the end of all runs")
            deliver_due()
            output = burnt("plain", tmp_path, watch)
    finally:
        watch.end()

    assert sum("runs.engine" in command.decode() for command in watch.commands) >= 2  # engines, and a witness
    check_all_was_said_back(runs)
    assert any("execute_shard" in command for command in heard)
    assert hook.deliveries.filter(attempts=1).count() == len(runs)
    assert any(name.startswith("witness") for name in (path.name for path in ledgers()))

    client.force_login(made_up.user(superuser=True))
    shown = list(pages(client, list(Run.objects.order_by("pk"))))
    assert len(shown) > 300
    found: dict[str, list[Any]] = {
        "processes": watch.found,
        "commands of Redis": [command for command in heard if holds(command)],
        "keys of Redis": [value[:80] for value in redis_values(valkey) if holds(value)],
        "ledgers": [path for path in ledgers() if holds(path.read_bytes())],
        "logs": [path for path in tmp_path.glob("*.log") if holds(path.read_bytes())],
        "output of burn": [data for data in output if holds(data)],
        "pages": [address for address, content in shown if holds(content)],
        "rows": [row for row in rows() if holds(row)],
    }
    assert found == {place: [] for place in found}


def hook_to(url: str) -> Webhook:
    hook = Webhook(name="hook")
    give_secrets(hook, url=f"{url}/{core('path')}?key={core('query')}", key=secret("key"))
    hook.save()
    return hook


def check_all_was_said_back(runs: list[Run]) -> None:
    """The target did say it all back, and what it said was recorded: or nothing else would prove anything."""
    turns = SessionMetric.objects.filter(run__in=runs)
    assert turns.filter(answer__contains=MASK).count() > 10
    assert len(set(turns.filter(detail__contains=MASK).values_list("code", flat=True))) >= 4
    reasons = {run.name: run.reason for run in Run.objects.filter(pk__in=[run.pk for run in runs])}
    assert "{{ secret.url }}" in reasons["bad url"]  # its name, which says more than a mask would
    assert "key: must have" in reasons["bad key"]


def ledgers() -> list[Path]:
    return [path for path in Path(settings.LEDGER_DIR).rglob("*") if path.is_file()]


def rows() -> Iterator[str]:
    """Every row of every table."""
    for model in apps.get_models():
        for row in model._default_manager.values():
            yield f"{model.__name__}: {row}"


@pytest.mark.parametrize("value", [secret("given") + "x" * 10_001, ""])
def test_a_refused_secret_is_not_said_back(value: str, client: Client) -> None:
    client.force_login(made_up.user(superuser=True))
    data = {"name": "t", "preset": "generic-json", "url": "http://127.0.0.1:9", "secrets": {"a name": secret("given")}}
    for given in (
        data,
        data | {"secrets": {"key": value}},
        data | {"secrets": [secret("given")]},
        data | {"url": "no"},
    ):
        answer = client.post("/api/targets/", given, content_type="application/json")
        assert answer.status_code == 400
        assert core("given") not in answer.content.decode()
