"""Made-up targets, plans, runs and streams for the tests of pages and API: what the farm would leave behind."""

from __future__ import annotations

import itertools
import random
from functools import partial
from typing import Any

import orjson
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from accounts.tokens import make
from metrics.ingest.batch import parse
from metrics.storage import store
from runs import live_stream
from runs.models import PlanScenario, Run, RunStatus, Session, Shard, ShardStatus, TestPlan
from runs.reporting.report import collect, report_of
from scenarios.models import Scenario
from targets.models import Target
from tests.support.credentials import keep
from tests.support.runs import until

PASSWORD = "a long test password"
SECRET = "sk-never-to-be-shown-1f9c"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LOAD = {"kind": "closed", "users": 4, "duration_s": 10.0}
NS = 1_000_000_000
_numbers = itertools.count(1)


def user(*permissions: str, staff: bool = True, superuser: bool = False) -> User:
    """A user with exactly these rights, such as "runs.view_run"."""
    made = User.objects.create_user(f"user{next(_numbers)}", password=PASSWORD, is_staff=staff, is_superuser=superuser)
    made.user_permissions.set([permission(name) for name in permissions])
    return made


def api_of(user: User) -> APIClient:
    """A program that is logged in as this user."""
    api = APIClient()
    api.force_login(user)
    return api


def page_of(user: User) -> Client:
    """A browser in which this user is logged in."""
    page = Client()
    page.force_login(user)
    return page


def token(owner: User, *scopes: str) -> str:
    """The key of a new API token."""
    return make(owner, "a test", scopes or ("run", "edit")).key


def permission(name: str) -> Permission:
    app, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def target(secret: bool = True, **fields: Any) -> Target:
    """With a credential that only administrators may use, unless it shall have no secret."""
    made = Target(**{"name": f"target {next(_numbers)}", "url": "http://127.0.0.1:9/v1", **fields})
    made.full_clean()
    made.save()
    if secret:
        keep(made, {"api_key": SECRET})
    return made


def scenario(builtin: bool = False) -> Scenario:
    name = f"scenario {next(_numbers)}"
    spec = {"name": name, "steps": [{"do": "say", "text": "Hello"}]}
    return Scenario.objects.create(name=name, spec=spec, builtin=builtin)


def plan(of: Target | None = None) -> TestPlan:
    made = TestPlan.objects.create(
        name=f"plan {next(_numbers)}", target=of or target(secret=False), load=LOAD, thresholds=["ttft_ms.p95<500"]
    )
    PlanScenario.objects.create(plan=made, scenario=scenario())
    return made


def run(status: RunStatus = RunStatus.COMPLETED, of: TestPlan | None = None, **fields: Any) -> Run:
    """A run with one shard, as it stands in the database while or after it ran."""
    chosen = of or plan()
    made = Run(
        plan=chosen,
        name=chosen.name,
        status=status,
        target_spec={"name": chosen.target.name, "url": chosen.target.url, "protocol": "sse"},
        scenario_specs=[{"weight": 1, "scenario": part.scenario.spec} for part in chosen.mix.all()],
        load=chosen.load,
        thresholds=chosen.thresholds,
        seed=7,
        **fields,
    )
    made.set_secrets({"api_key": SECRET})
    made.save()
    Shard.objects.create(run=made, index=0, status=ShardStatus.DONE, host="host-a", ledger_path="/var/ledgers/x.jsonl")
    return made


def fill(made: Run, seconds: int = 30, per_second: int = 8, answer: str = HOSTILE) -> None:
    """Store a made-up ledger of the run's shard: turns, sessions and windows."""
    shard = made.shards.get()
    lines = list(ledger(shard.pk, seconds, per_second, answer))
    data = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    with transaction.atomic():
        store.write(parse(data, made.pk, shard.pk, 0))
    assert Session.objects.filter(run=made).exists()


def ledger(shard_id: int, seconds: int, per_second: int, answer: str) -> Any:
    rng, base = random.Random(1), shard_id << 32
    head = {"v": 1, "run": 1, "shard": shard_id, "index": 0, "of": 1, "id_base": base, "pid": 1, "host": "host-a"}
    yield {"k": "head", **head, "t0_mono_ns": 0, "t0_wall_ns": 0, "timestamps": "kernel"}
    count = seconds * per_second
    for number in range(count):
        at = number * NS // per_second
        ttft, more = rng.lognormvariate(-2.5, 0.4), rng.lognormvariate(-1, 0.3)
        first, done = at + int(ttft * NS), at + int((ttft + more) * NS)
        bad = number % 23 == 22
        yield {"k": "open", "id": base + number, "user": number % 4, "scenario": "made up", "at": at}
        yield {
            "k": "turn", "id": base + number, "s": base + number, "n": 0, "out": "error" if bad else "ok",
            "code": "http_500" if bad else None, "detail": answer if bad else None, "planned": at, "sent": at,
            "fb": first, "fc": first, "ft": None if bad else first, "lc": None if bad else done, "done": done,
            "hs": {"connect": 81_000}, "chunks": 5, "in": 500, "outb": 200, "ti": 12, "to": 0 if bad else 30,
            "ts": "usage", "icl": None if bad else [9000, 11000, 10000], "err": None, "msg": "Hello", "ans": answer,
        }  # fmt: skip
        outcome = "failed" if bad else "completed"
        yield {"k": "close", "id": base + number, "at": done, "out": outcome, "turns": 1, "code": None}
        if number % per_second == 0:
            yield {"k": "gen", "at": at, "cpu_ns": at // 50, "rss": 60_000_000, "lag": [40, 60], "active": 4,
                   "inflight": 3, "dropped": 0}  # fmt: skip


def finish(made: Run, **parts: Any) -> None:
    """Store the report of what is stored, as the last shard's end does; with other `parts`."""
    made.report = {**report_of(made, collect(made), made.status, made.reason), **parts}
    made.save(update_fields=["report"])


def finished(of: TestPlan | None = None, **parts: Any) -> Run:
    """A completed run with its report."""
    made = run(RunStatus.COMPLETED, of)
    fill(made)
    finish(made, **parts)
    return made


def tick(at_s: float, ok: int, failed: int = 0) -> live_stream.Tick:
    quantiles: live_stream.Quantiles = {"p50": 80.0 + at_s, "p95": 160.0, "p99": 210.0, "mean": 91.0, "count": ok}
    return {
        "at_s": at_s,
        "counters": {"sent": ok + failed, "ok": ok, "error": failed, "timeout": 0, "aborted": 0, "unknown": 0},
        "rates": {"turns_per_s": ok / max(at_s, 1)},
        "metrics": {"ttft_ms": quantiles, "e2e_ms": {**quantiles, "p50": 460.0}},
        "active": 4,
        "inflight": 3,
    }


def lines(at_s: float, count: int = 1, held_back: int = 0, answer: str = "Hi there") -> live_stream.Lines:
    items: list[live_stream.Line] = [
        {
            "at_ms": at_s * 1000 + number,
            "session": (5 << 32) + number,
            "turn": number,
            "outcome": "ok",
            "code": None,
            "e2e_ms": 461.5,
            "message": "Hello",
            "answer": answer,
        }
        for number in range(count)
    ]
    return {"items": items, "held_back": held_back}


def publish(made: Run, seconds: int, held_back: int = 12, answer: str = HOSTILE) -> None:
    """What a supervisor would have published in that many seconds."""
    for second in range(1, seconds + 1):
        said = lines(second, 3, held_back if second % 5 == 0 else 0, answer)
        entries: list[Any] = [("tick", tick(second, second * 8, second // 3)), ("lines", said)]
        until(partial(live_stream.publish, made.pk, entries))  # a test without Redis may have left a pause behind
