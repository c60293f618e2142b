"""Ingest against ledgers that an engine might have written. See tests/integration/runs for living engines."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from django.db import OperationalError, transaction
from django.db.models import F

from metrics.ingest.batch import Batch
from metrics.models import SessionMetric, Window
from metrics.storage import store
from metrics.storage.aggregate import aggregate_rows, aggregate_run
from runs.completion import ingest
from runs.completion.ingest import LeaseLostError, LedgerIngest, Tail, read_tail
from runs.engine.recording.ledger import LedgerHeldError
from runs.models import Session, Shard
from runs.workers.leases import claim_shard
from tests.support.ledgers import LedgerMaker, ledger_bytes
from tests.support.runs import a_run, shards

pytestmark = pytest.mark.usefixtures("any_database")
TURNS = 400


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    found = claim_shard(shards(a_run())[0].pk, "me")
    assert found is not None
    found.ledger_path = str(tmp_path / "ledger.jsonl")
    return found


def ledger_of(shard: Shard, turns: int = TURNS) -> bytes:
    return ledger_bytes(LedgerMaker(turns, run_id=shard.run_id, shard_id=shard.pk, users=20, turns_per_s=50))


def stored(shard: Shard) -> tuple[object, ...]:
    """Everything that ingest wrote, but for the way it was cut into batches."""
    rows = [
        tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in SessionMetric.objects.values_list()
    ]
    return rows, list(Session.objects.values_list()), aggregate_run(shard.run_id).from_turns()


def test_a_ledger_that_grows_is_stored_once_however_it_is_cut(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "CHUNK_BYTES", 5000)
    data, path, rng = ledger_of(shard), Path(shard.ledger_path), random.Random(3)
    written = 0
    with path.open("ab", buffering=0) as file:
        while written < len(data):
            size = rng.randrange(1, 40_000)
            file.write(data[written : written + size])
            written += size
            # A supervisor that died in between: another begins from what is stored.
            reader = LedgerIngest(Shard.objects.get(pk=shard.pk), path)
            for _ in range(rng.randrange(4)):
                reader.step()
    shard.refresh_from_db(fields=["ledger_offset"])
    while LedgerIngest(shard, path).step():
        pass
    assert shard.ledger_offset == len(data)
    pieces = stored(shard)
    assert SessionMetric.objects.count() == TURNS
    assert aggregate_rows(shard.run_id).from_turns() == aggregate_run(shard.run_id).from_turns()

    for table in (SessionMetric, Session, Window):
        table._default_manager.all().delete()
    monkeypatch.setattr(ingest, "CHUNK_BYTES", 1 << 24)
    Shard.objects.update(ledger_offset=0)
    assert LedgerIngest(Shard.objects.get(pk=shard.pk), path).rest() == read_tail(path)
    assert stored(shard) == pieces


def test_who_lost_the_shard_writes_nothing(shard: Shard) -> None:
    Path(shard.ledger_path).write_bytes(ledger_of(shard))
    Shard.objects.update(epoch=F("epoch") + 1)
    with pytest.raises(LeaseLostError):
        LedgerIngest(shard).step()
    assert not SessionMetric.objects.exists()
    assert not Window.objects.exists()


def test_of_two_readers_the_second_writes_nothing(shard: Shard) -> None:
    Path(shard.ledger_path).write_bytes(ledger_of(shard))
    other = LedgerIngest(Shard.objects.get(pk=shard.pk), Path(shard.ledger_path))
    assert LedgerIngest(shard).step() is not None
    with pytest.raises(LeaseLostError):
        other.step()
    assert SessionMetric.objects.count() == TURNS


@pytest.mark.parametrize("committed", [True, False])
def test_a_connection_that_breaks_in_the_commit_costs_and_doubles_nothing(
    committed: bool, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store_then_break(batch: Batch) -> None:
        write(batch)
        if committed:
            transaction.on_commit(broken)
        else:
            broken()

    def broken() -> None:
        raise OperationalError("the connection was closed")

    write = store.write
    Path(shard.ledger_path).write_bytes(ledger_of(shard))
    reader = LedgerIngest(shard)
    with monkeypatch.context() as broken_wire, pytest.raises(OperationalError):
        broken_wire.setattr(store, "write", store_then_break)
        reader.step()
    assert (SessionMetric.objects.count() == TURNS) is committed
    assert (reader.step() is None) is committed
    assert SessionMetric.objects.count() == TURNS
    assert shard.ledger_offset == Path(shard.ledger_path).stat().st_size


def test_a_torn_line_waits_for_its_end(shard: Shard) -> None:
    data, path = ledger_of(shard), Path(shard.ledger_path)
    cut = data.rindex(b"\n", 0, len(data) // 2) + 10
    path.write_bytes(data[:cut])
    reader = LedgerIngest(shard)
    assert reader.step() is not None
    assert reader.step() is None
    assert shard.ledger_offset == data.rindex(b"\n", 0, cut) + 1


def test_one_line_longer_than_a_chunk_is_read_whole(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "CHUNK_BYTES", 100)
    Path(shard.ledger_path).write_bytes(ledger_of(shard, 30))
    tail = LedgerIngest(shard).rest()
    assert tail is not None
    assert (tail.reason, tail.turns) == ("done", 30)
    assert SessionMetric.objects.count() == 30


def test_no_ledger_is_no_turn(shard: Shard) -> None:
    assert LedgerIngest(shard).step() is None
    assert LedgerIngest(shard).rest() is None


def test_a_dead_engines_ledger_is_completed_and_stored(shard: Shard) -> None:
    path, data = Path(shard.ledger_path), ledger_of(shard)
    path.write_bytes(data[: len(data) // 2])
    tail = LedgerIngest(shard).rest()
    assert tail is not None
    assert (tail.reason, tail.turns) == ("engine_died", SessionMetric.objects.count())
    assert Session.objects.filter(outcome="lost").exists()
    assert not Session.objects.filter(outcome="").exists()
    assert path.with_name(path.name + ".torn").exists()


def test_a_living_engines_ledger_is_left_alone(shard: Shard) -> None:
    import fcntl

    path = Path(shard.ledger_path)
    path.write_bytes(ledger_of(shard)[:5000])
    with path.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(LedgerHeldError):
            LedgerIngest(shard).rest()
    assert path.stat().st_size == 5000


@pytest.mark.parametrize(
    ("end", "tail"),
    [
        (b'{"k":"tail","at":5,"reason":"done","turns":3,"sessions":2}\n', Tail("done", "done", 3, 2)),
        (b'{"k":"tail","at":5,"reason":"done","turns":3,"sessions":2}', None),
        (b'{"k":"close"}\n', None),
        (b"", None),
    ],
)
def test_only_a_whole_last_line_is_a_tail(tmp_path: Path, end: bytes, tail: Tail | None) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b'{"k":"head"}\n' * 1000 + end)
    assert read_tail(path) == tail
    assert read_tail(tmp_path / "none") is None
