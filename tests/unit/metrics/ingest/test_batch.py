from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.analysis.totals import Aggregate, merge
from metrics.ingest.batch import parse
from tests.support.ledgers import LedgerMaker, encoded, ledger_bytes
from tests.unit.metrics.made import MS, batch, failed, generator, head, tail, turn

LEDGER = ledger_bytes(LedgerMaker(300, users=10, streamed=0.3, failing=0.1, stamped=True, turns_per_s=100))
WHOLE = parse(LEDGER, 1, 1)


def test_a_torn_last_line_is_left_for_the_next_call() -> None:
    data = encoded(turn()) + encoded(turn(1))
    first = parse(data[:-5], 1, 1, 1000)
    assert len(first.turns) == 1
    assert first.end_offset == 1000 + len(encoded(turn()))
    assert parse(data[first.consumed :], 1, 1).turns.row("id") == (1,)


@pytest.mark.parametrize("data", [b"", b'{"k":"tu'])
def test_without_a_whole_line_nothing_is_consumed(data: bytes) -> None:
    found = parse(data, 1, 1, 7)
    assert (found.consumed, found.end_offset, len(found.turns), found.windows) == (0, 7, 0, {})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(200, 60_000), min_size=1, max_size=20))
def test_however_a_ledger_is_cut_rows_and_aggregate_are_the_same(sizes: list[int]) -> None:
    rows: list[Any] = []
    total = Aggregate()
    previous: dict[int, str] = {}
    offset = step = 0
    while offset < len(LEDGER):
        size = sizes[step % len(sizes)]
        found = parse(LEDGER[offset : offset + size], 1, 1, offset, previous)
        if not found.consumed:
            sizes = [size * 2 for size in sizes]
            continue
        rows += list(found.turns)
        total.add_all(found.windows.values())
        offset, previous, step = found.end_offset, dict(found.last_answers), step + 1
    assert rows == list(WHOLE.turns)
    assert total.from_turns() == merge(WHOLE.windows.values()).from_turns()
    assert total.loop_lag == merge(WHOLE.windows.values()).loop_lag


@pytest.mark.parametrize(
    "bad",
    [
        b"not json at all\n",
        b"[1,2]\n",
        b"\n",
        b'{"k":"wish"}\n',
        b'{"k":"turn","id":1}\n',
        b'{"k":"turn","ans":"torn in the mid\n',
        b'{"k":"open","id":1}\n',
        b'{"k":"close","id":1,"at":5,"out":"vanished","turns":1,"code":null}\n',
        b'{"k":"gen","at":"soon"}\n',
        b'{"k":"\xff\xfe"}\n',
        encoded(turn(sent="soon")),
        encoded(turn(sent=1.5)),
        encoded(turn(out="great")),
        encoded(turn(icl=[1, "x"])),
        encoded(turn(hs={"connect": "fast"})),
        encoded(turn(n=2**40)),
        encoded(turn(id=-1)),
        encoded(turn(ans=5)),
        encoded(turn(planned=None)),
    ],
)
def test_a_damaged_line_is_kept_and_stops_nothing(bad: bytes) -> None:
    data = encoded(turn(1)) + bad + encoded(turn(2)) + encoded(failed(3))
    found = parse(data, 1, 1)
    assert found.consumed == len(data)
    assert found.turns.row("id") == (1, 2, 3)
    (text,) = found.quarantined
    assert len(text) == pytest.approx(len(bad) - 1, abs=8)
    total = merge(found.windows.values())
    assert total.bad_lines == 1
    assert total.outcomes["ok"] == 2


def test_two_torn_lines_that_would_join_into_one_are_both_damaged() -> None:
    found = parse(b'{"k":"open","scenario":"a\nb"}\n' + encoded(turn()), 1, 1)
    assert len(found.quarantined) == 2
    assert len(found.turns) == 1


def test_repetition_compares_with_the_session_s_last_answer() -> None:
    lines = [
        turn(0, s=1, ans="the same answer"),
        turn(1, s=2, ans="something else"),
        failed(2, s=1, ans="broken"),
        turn(3, s=1, ans="the same answer"),
        turn(4, s=2, ans=""),
        turn(5, s=2, ans="zzz"),
    ]
    found = batch(*lines, previous={2: "something else"})
    assert found.turns.row("repetition") == [None, 1.0, None, 1.0, None, pytest.approx(0, abs=0.2)]
    assert found.last_answers == {1: "the same answer", 2: "zzz"}


def test_a_closed_session_s_answer_is_forgotten_and_the_given_ones_stay_untouched() -> None:
    close = {"k": "close", "id": 1, "at": 5, "out": "completed", "turns": 1, "code": None}
    given = {1: "old", 9: "other"}
    assert batch(turn(), close, previous=given).last_answers == {9: "other"}
    assert given == {1: "old", 9: "other"}


def test_windows_stand_at_the_second_of_the_end() -> None:
    unknown = failed(2, "unknown", "engine_died", done=None, sent=7_900 * MS)
    found = batch(turn(done=2_500 * MS), turn(1, done=2_999 * MS), unknown, failed(3, done=3_000 * MS, sent=None))
    assert {second: data["out"] for second, data in found.windows.items()} == {
        2: [2, 0, 0, 0, 0],
        3: [0, 1, 0, 0, 0],
        7: [0, 0, 0, 0, 1],
    }
    assert found.windows[3]["codes"] == {"http_500": 1}
    assert found.windows[3]["sent"] == 0


def test_generator_lines_head_and_tail_reach_the_aggregate() -> None:
    found = batch(head("user"), generator(1, 300, dropped=2), generator(2, 900, dropped=3), turn(), tail(1))
    total = merge(found.windows.values())
    engine = total.engines[1]
    assert found.head is not None
    assert found.tail is not None
    assert (engine.head["timestamps"], engine.tail["turns"]) == ("user", 1)
    assert engine.cpu_shares() == [pytest.approx(0.6)]
    assert (total.dropped, engine.cpu_ns, engine.rss, total.loop_lag.count) == (3, 900 * MS, 9, 2)


def test_the_tail_of_a_dead_engine_knows_no_cpu() -> None:
    dead = {**tail(1, "engine_died"), "cpu_ns": None, "rss": None}
    total = merge(batch(head(), generator(1, 300), turn(), dead).windows.values())
    assert total.engines[1].cpu_ns == 300 * MS


def test_requests_at_the_end_of_sessions_have_times_and_failures_of_their_own() -> None:
    def close(number: int, **more: Any) -> bytes:
        line = {"k": "close", "id": number, "at": 1500 * MS, "out": "completed", "turns": 1, "code": None, "began": 0}
        return encoded(line | more)

    lines = close(1, bye={"leave": 5 * MS}, g=1), close(2, bye={"leave": 7 * MS, "note": MS}, bye_code="http_500", g=0)
    found = parse(b"".join(lines) + close(3) + close(4, bye={"leave": "soon"}), 1, 1, groups=2)
    assert len(found.quarantined) == 1
    window = found.windows[1]
    assert {name: histogram["n"] for name, histogram in window["bye"].items()} == {
        "goodbye_leave_ms": 2,
        "goodbye_note_ms": 1,
    }
    assert window["groups"]["1"]["bye"]["goodbye_leave_ms"]["sum"] == 5 * MS
    assert window["bye_codes"] == {"http_500": 1}
    total = merge(found.windows.values())
    assert (total.farewell_codes, total.histograms["goodbye_leave_ms"].count) == ({"http_500": 1}, 2)
    warm_up = parse(close(1, bye={"leave": 5 * MS}), 1, 1, counted=(1, None))
    assert "bye" not in warm_up.windows.get(1, {})
