"""Real reports, ledgers, loads and messages keep to the published schemas, and the schemas leave no key out."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema_rs import meta

from runs.engine.core.messages import read_command
from runs.engine.recording.ledger import recover
from runs.load.profile import ClosedLoad, parse_load
from runs.models import RunStatus
from runs.services import stop_run
from runs.supervisor import local
from runs.supervisor.engine_process import EngineProcess, Event
from tests.integration.runs.conftest import Counting
from tests.old_data import make
from tests.support.runs import in_background, until
from tests.support.schemas import wrong
from tokenburn_site.schema_files import CONTRACTS, out_of_date, schema

LOADS: list[dict[str, Any]] = [
    {"kind": "closed", "users": 5, "duration_s": 3},
    {"kind": "closed", "sweep": {"levels": [1, 2], "conditions": ["error_rate<1%"]}},
    {"kind": "closed", "users": 5, "search": {"conditions": ["error_rate<1%"]}},
    {"kind": "open", "rate_per_s": 2, "stages": [{"duration_s": 3, "to": 9}], "arrivals": "poisson"},
    {"kind": "trace", "arrivals_s": [0.0, 1.5]},
    {"kind": "trace", "timestamps": [1, 2, 3], "trace_unit": "s"},
    {"kind": "closed", "users": 1, "duration_s": 3, "user_profile": {"temperature": [0.5, 1.0]}},
    {"kind": "closed", "users": 1, "duration_s": 3, "budget": {"cost": 2, "prices": {"*": {"input": 1, "output": 2}}}},
]


def lines_of(data: bytes) -> list[Any]:
    return [orjson.loads(line) for line in data.splitlines()]


def test_the_files_say_what_the_types_say() -> None:
    assert out_of_date() == []
    for name in CONTRACTS:
        meta.validate(schema(name))


@pytest.mark.parametrize("load", LOADS, ids=str)
def test_a_load_that_may_be_written_keeps_to_its_schema(load: dict[str, Any]) -> None:
    assert wrong("load", load, parse_load(load).model_dump(mode="json")) == []


def test_what_is_no_load_does_not() -> None:
    for load in ({"kind": "closed", "users": -1}, {"kind": "ajar"}, {"kind": "trace"}, {**LOADS[0], "colour": 1}):
        assert wrong("load", load) != []


@pytest.mark.django_db(transaction=True)
def test_a_run_keeps_to_every_contract(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    heard: list[Any] = []
    send, read = EngineProcess._send, EngineProcess._event

    def noted(self: EngineProcess, message: dict[str, Any]) -> None:
        sent.append(message)
        send(self, message)

    def noticed(self: EngineProcess, line: bytes) -> Event | None:
        heard.append(orjson.loads(line))
        return read(self, line)

    monkeypatch.setattr(EngineProcess, "_send", noted)
    monkeypatch.setattr(EngineProcess, "_event", noticed)
    run = counting.run(2, ClosedLoad(users=10, duration_s=120), thresholds=["error_rate<50%", "e2e_ms.p95<60000"])
    running = in_background(lambda: local.run_local(run))
    until(lambda: run.turns.count() > 200, 120)
    stop_run(run.pk, "enough")
    running.join(120)
    run.refresh_from_db()
    assert run.status == RunStatus.STOPPED
    assert wrong("report", run.report) == []
    assert wrong("load", run.load) == []
    commands = [message for message in sent if "cmd" in message]
    assert {message["cmd"] for message in commands} >= {"go", "beat", "stop"}
    assert {event["ev"] for event in heard} == {"ready", "done"}
    assert wrong("engine-command", *commands) == []
    assert wrong("engine-event", *heard) == []
    for shard in run.shards.all():
        lines = lines_of(Path(shard.ledger_path).read_bytes())
        assert {line["k"] for line in lines} >= {"head", "open", "turn", "close", "gen", "tail"}
        assert wrong("ledger-line", *lines) == []


def test_ledgers_of_old_and_of_dead_engines_keep_to_their_schema(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress((make.HERE / make.LEDGERS).read_bytes()))) as tar:
        tar.extractall(tmp_path)  # our own archive
    for path in tmp_path.glob("run-*/shard-*.jsonl"):
        recover(path)
        assert wrong("ledger-line", *lines_of(path.read_bytes())) == []


def test_a_command_of_an_earlier_version_is_understood() -> None:
    stop = read_command({"cmd": "stop", "reason": "stopped: by ann"})
    assert stop.model_dump() == {
        "cmd": "stop", "end_code": "", "run_end_code": "", "reason": "stopped: by ann", "grace_s": None,
    }  # fmt: skip
    with pytest.raises(ValueError, match="start_mono_ns"):
        read_command({"cmd": "go"})
