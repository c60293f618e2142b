"""Batches in the two databases: rows come back as the ledger had them, sessions close wherever they opened."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.db import IntegrityError, transaction

from metrics.ingest.batch import Batch, parse
from metrics.ingest.turns import ROW_FIELDS
from metrics.models import SessionMetric, Window
from metrics.storage import store
from runs.models import Session
from tests.support.ledgers import LedgerMaker, encoded, ledger_bytes

MAKER = LedgerMaker(600, run_id=3, shard_id=5, users=20, streamed=0.3, stamped=True)


def write(batch: Batch) -> None:
    with transaction.atomic():
        store.write(batch)


def ingest_pieces(data: bytes, size: int) -> None:
    """As the supervisor does it, in pieces of about `size` bytes."""
    offset, previous = 0, store.last_answers(5)
    while offset < len(data):
        batch = parse(data[offset : offset + size], 3, 5, offset, previous)
        write(batch)
        offset, previous = batch.end_offset, dict(batch.last_answers)


def turn(line: dict[str, Any]) -> dict[str, Any]:
    """A ledger line in the words of the table."""
    return {
        "id": line["id"], "session_id": line["s"], "number": line["n"], "outcome": line["out"],
        "code": line["code"], "detail": line["detail"], "planned_ns": line["planned"], "sent_ns": line["sent"],
        "first_byte_ns": line["fb"], "first_chunk_ns": line["fc"], "first_content_ns": line["ft"],
        "last_content_ns": line["lc"], "done_ns": line["done"], "handshake": line["hs"], "chunks": line["chunks"],
        "bytes_in": line["in"], "bytes_out": line["outb"], "tokens_in": line["ti"], "tokens_out": line["to"],
        "tokens_source": line["ts"], "message": line["msg"], "answer": line["ans"], "run_id": 3, "shard_id": 5,
        "kind": line.get("kind"), "finish_reason": line.get("fin"),
    }  # fmt: skip


def test_rows_are_the_ledger_s_own_values(any_database: str) -> None:
    lines = list(MAKER.lines())
    ingest_pieces(b"".join(map(encoded, lines)), 1 << 20)
    stored: dict[int, dict[str, Any]] = {row["id"]: {**row} for row in SessionMetric.objects.values()}
    turns = [line for line in lines if line["k"] == "turn"]
    assert len(stored) == len(turns) == 600
    for line in turns:
        row = stored[line["id"]]
        assert {key: row[key] for key in turn(line)} == turn(line)
        gaps = list(memoryview(bytes(row["icl_us"] or b"")).cast("I"))
        assert gaps == (line["icl"] or [])
        errors = list(memoryview(bytes(row["arrival_error_ns"] or b"")).cast("q"))
        assert errors == (line["err"] or [])


@pytest.mark.parametrize("size", [3000, 20_000])
def test_sessions_open_in_one_batch_and_close_in_another(any_database: str, size: int) -> None:
    lines = list(MAKER.lines())
    ingest_pieces(b"".join(map(encoded, lines)), size)
    opens = {line["id"]: line for line in lines if line["k"] == "open"}
    closes = {line["id"]: line for line in lines if line["k"] == "close"}
    stored = list(Session.objects.values())
    assert {row["id"] for row in stored} == set(opens) == set(closes)
    for row in stored:
        opened, closed = opens[row["id"]], closes[row["id"]]
        assert (row["user_no"], row["scenario"], row["started_ns"]) == (
            opened["user"],
            opened["scenario"],
            opened["at"],
        )
        assert (row["ended_ns"], row["outcome"], row["turns"], row["code"]) == (
            closed["at"],
            closed["out"],
            closed["turns"],
            closed["code"],
        )


def test_repetition_does_not_depend_on_where_a_restart_cut(any_database: str) -> None:
    data = ledger_bytes(MAKER)
    whole = {row[0]: row for row in parse(data, 3, 5).turns}
    first = parse(data[: len(data) // 2], 3, 5)
    write(first)
    assert store.last_answers(5) == first.last_answers
    write(parse(data[first.end_offset :], 3, 5, first.end_offset, store.last_answers(5)))
    stored = dict(SessionMetric.objects.values_list("id", "repetition"))
    assert stored == {turn_id: row[ROW_FIELDS.index("repetition")] for turn_id, row in whole.items()}
    assert sum(value is not None for value in stored.values()) > 100


def test_windows_keep_their_batch_s_offset_and_data(any_database: str) -> None:
    data = ledger_bytes(MAKER)
    first = parse(data[:100_000], 3, 5)
    second = parse(data[first.end_offset :], 3, 5, first.end_offset, first.last_answers)
    write(first)
    write(second)
    stored = {(w.ledger_offset, w.second): w.data for w in Window.objects.filter(run_id=3, shard_id=5)}
    expected = {
        (b.base_offset, s): orjson.loads(orjson.dumps(d)) for b in (first, second) for s, d in b.windows.items()
    }
    assert stored == expected


def test_the_same_batch_twice_is_refused_and_changes_nothing(any_database: str) -> None:
    batch = parse(ledger_bytes(MAKER), 3, 5)
    write(batch)
    with pytest.raises(IntegrityError):
        write(batch)
    assert SessionMetric.objects.count() == 600


def test_writing_needs_a_transaction(any_database: str) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        store.write(parse(ledger_bytes(MAKER), 3, 5))


def test_a_hostile_target_s_values_are_stored_without_stopping_the_ingest(any_database: str) -> None:
    line = next(line for line in MAKER.lines() if line["k"] == "turn")
    line |= {"ti": 10**15, "to": 10**18, "ans": "nul \x00 and \ud7ff", "detail": "\x00", "err": [-(2**62), 2**62]}
    line |= {"icl": [2**40], "code": "x" * 500, "out": "error"}
    batch = parse(encoded(line), 3, 5)
    assert not batch.quarantined
    write(batch)
    row = SessionMetric.objects.get()
    assert (row.tokens_in, row.tokens_out, row.answer, row.code) == (
        2**31 - 1,
        2**31 - 1,
        "nul \ufffd and \ud7ff",
        "x" * 60,
    )
