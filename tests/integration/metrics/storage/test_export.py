"""Exports: every turn once, values as stored, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import orjson
import pytest
from django.db import transaction

from metrics.ingest.batch import parse
from metrics.models import SessionMetric
from metrics.storage import export, store
from tests.support.ledgers import LedgerMaker, encoded


def ingest(maker: LedgerMaker, **changes: object) -> list[dict[str, object]]:
    """Returns the turn lines; `changes` are laid over the first of them."""
    lines = list(maker.lines())
    turns = [line for line in lines if line["k"] == "turn"]
    turns[0].update(changes)
    with transaction.atomic():
        store.write(parse(b"".join(map(encoded, lines)), maker.run_id, maker.shard_id))
    return turns


def test_csv_holds_every_turn_with_its_times_and_metrics(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 70)
    turns = ingest(LedgerMaker(200, run_id=9, streamed=0.5, stamped=True))
    rows = list(csv.DictReader(io.StringIO("".join(export.csv_pieces(9)), newline="")))
    assert [int(row["id"]) for row in rows] == [turn["id"] for turn in turns]
    for row, turn in zip(rows, turns, strict=True):
        assert row["sent_ns"] == str(turn["sent"])
        assert row["first_content_ns"] == ("" if turn["ft"] is None else str(turn["ft"]))
        assert [int(gap) for gap in row["icl_us"].split()] == (turn["icl"] or [])
        assert row["answer"] == turn["ans"]
        if turn["out"] == "ok":
            assert float(row["e2e_ms"]) == pytest.approx((turn["done"] - turn["sent"]) / 1e6)  # type: ignore[operator]  # ints, as the maker made them
        else:
            assert row["e2e_ms"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_defuses_what_a_spreadsheet_would_run(any_database: str, start: str) -> None:
    evil = f'{start}cmd|"/c calc"!A1, and\nmore'
    ingest(LedgerMaker(3, run_id=9), ans=evil, msg=evil, detail=evil)
    first = next(csv.DictReader(io.StringIO("".join(export.csv_pieces(9)), newline="")))
    assert first["answer"] == first["message"] == first["detail"] == f"'{evil}"


def test_json_is_one_array_of_the_stored_values(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE", 30)
    ingest(LedgerMaker(100, run_id=9, streamed=0.5, stamped=True), ans="=1")
    records = orjson.loads(b"".join(export.json_pieces(9)))
    assert records[0]["answer"] == "=1"
    stored = list(SessionMetric.objects.values())
    assert len(records) == len(stored) == 100
    for record, row in zip(records, stored, strict=True):
        same = record.keys() & row.keys() - {"icl_us", "arrival_error_ns"}
        assert {key: record[key] for key in same} == {key: value for key, value in row.items() if key in same}
        assert record["arrival_error_ns"] == list(memoryview(bytes(row["arrival_error_ns"] or b"")).cast("q"))


def test_json_says_what_csv_says_in_a_piece_for_each_read(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece costs the site a change of threads: one for each turn took most of a download's time."""
    monkeypatch.setattr(export, "PIECE", 30)
    ingest(LedgerMaker(100, run_id=9, streamed=0.5, stamped=True, failing=0.2))
    pieces = list(export.json_pieces(9))
    assert len(pieces) == 5, "four reads and the end"
    table = csv.DictReader(io.StringIO("".join(export.csv_pieces(9)), newline=""))
    for record, row in zip(orjson.loads(b"".join(pieces)), table, strict=True):
        assert list(record) == list(row)
        for name, value in record.items():
            if isinstance(value, list):
                assert row[name] == " ".join(map(str, value))
            elif isinstance(value, dict):
                assert orjson.loads(row[name]) == value
            elif isinstance(value, int | float):
                assert float(row[name]) == pytest.approx(value)
            else:
                assert row[name] == (value or "")


def test_a_run_without_turns_gives_a_header_and_an_empty_array(any_database: str) -> None:
    (line,) = "".join(export.csv_pieces(404)).splitlines()
    assert line.startswith("id,session_id,number,outcome")
    assert orjson.loads(b"".join(export.json_pieces(404))) == []


def test_columns_keep_their_places_and_new_ones_follow() -> None:
    """Programs read the files by position: only append to this list."""
    assert export.COLUMNS == (
        "id", "session_id", "number", "outcome", "code", "detail", "planned_ns", "sent_ns", "first_byte_ns",
        "first_chunk_ns", "first_content_ns", "last_content_ns", "done_ns", "handshake", "chunks", "bytes_in",
        "bytes_out", "tokens_in", "tokens_out", "tokens_source", "icl_us", "arrival_error_ns", "message", "answer",
        "repetition", "ttfb_ms", "ttfc_ms", "ttft_ms", "e2e_ms", "e2e_planned_ms", "tpot_ms", "handshake_resolve_ms",
        "handshake_connect_ms", "handshake_tls_ms", "turn_tokens_per_s", "send_lag_ms", "tokens_reasoning", "kind",
        "finish_reason", "tools", "tool_calls", "time_to_tool_call_ms",
    )  # fmt: skip


def test_the_header_of_an_empty_export_is_that_of_a_full_one(any_database: str) -> None:
    ingest(LedgerMaker(3, run_id=9))
    assert "".join(export.csv_pieces(9)).splitlines()[0] == "".join(export.csv_pieces(404)).splitlines()[0]
