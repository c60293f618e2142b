"""The ledger and what it is worth when its engine dies."""

import asyncio
import errno
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest

from runs.engine.recording.in_flight import FlightTable, flight_path, read_flight
from runs.engine.recording.ledger import Ledger, LedgerHeldError, recover

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def turn(number: int, session: int = 1) -> dict[str, Any]:
    return {"k": "turn", "id": number, "s": session, "out": "ok", "done": number * 10}


def write(path: Path, *items: dict[str, Any], ended: bool = False) -> None:
    data = b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items)
    path.write_bytes(data + (b'{"k":"tail","at":1}\n' if ended else b""))


def give_up(error: OSError) -> None:
    pytest.fail(f"the ledger could not be written: {error}")


async def test_one_tick_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path / "l.jsonl", on_failure=give_up)
    writes: list[bytes] = []
    real = os.write

    def noted(fd: int, data: bytes) -> int:
        writes.append(data)
        return real(fd, data)

    monkeypatch.setattr(os, "write", noted)
    for number in range(5):
        ledger.append(turn(number))
    assert writes == []
    await asyncio.sleep(0)
    assert len(writes) == 1
    ledger.close()
    assert [line["id"] for line in lines(tmp_path / "l.jsonl")] == [0, 1, 2, 3, 4]


async def test_a_full_disk_is_said_once_and_keeps_what_was_in_flight(tmp_path: Path) -> None:
    failures: list[OSError] = []
    path = tmp_path / "l.jsonl"
    ledger = Ledger(path, failures.append)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, ledger._fd)
    slot = ledger.flight.take(7, 1, 0, 5, 6)
    ledger.append(turn(7), slot)
    ledger.flush()
    ledger.append(turn(8))
    ledger.flush()
    assert [failure.errno for failure in failures] == [28]
    assert [flying.turn for flying in read_flight(flight_path(path))] == [7]
    os.close(full)


def test_a_slot_is_free_again_only_after_its_line_is_written(tmp_path: Path) -> None:
    table = FlightTable(tmp_path / "f")
    first = table.take(1, 1, 0, 0, 0)
    second = table.take(2, 1, 1, 0, 0)
    assert first != second
    table.give_back([first])
    assert [flying.turn for flying in read_flight(tmp_path / "f")] == [2]


def test_a_table_has_all_the_space_that_it_will_write_to(tmp_path: Path) -> None:
    """Without, a store into it kills the engine on a full disk."""
    table = FlightTable(tmp_path / "f")
    for grown in range(2):
        found = (tmp_path / "f").stat()
        assert found.st_blocks * 512 >= found.st_size > 0, grown
        for turn in range(1, 4098):
            table.take(turn, 1, 0, 0, 0)
    table.close()


@pytest.mark.parametrize(("number", "fails"), [(errno.ENOSPC, True), (errno.EOPNOTSUPP, False)])
def test_a_disk_without_space_for_the_table_is_said(
    number: int, fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") if fails else nullcontext():
        FlightTable(tmp_path / "f").close()


def test_the_table_grows_and_keeps_what_it_holds(tmp_path: Path) -> None:
    table = FlightTable(tmp_path / "f")
    taken = [table.take(number + 1, 1, 0, 0, 0) for number in range(10_000)]
    assert len(set(taken)) == 10_000
    assert {flying.turn for flying in read_flight(tmp_path / "f")} == set(range(1, 10_001))


def dead_engine(path: Path) -> None:
    """Sessions 1 (open) and 2 (closed); turn 10 recorded; turns 11 and 12 in flight; 10 flew when its line was out."""
    opens = [{"k": "open", "id": session, "user": 0, "scenario": "s", "at": 1} for session in (1, 2)]
    closed = {"k": "close", "id": 2, "at": 50, "out": "completed", "turns": 0, "code": None}
    write(path, {"k": "head"}, *opens, turn(10), closed)
    table = FlightTable(flight_path(path))
    for number in (10, 11, 12):
        table.take(number, 1, number - 10, 3, 4)
    table.close()


def test_recover_gives_every_turn_in_flight_one_outcome(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    dead_engine(path)
    assert recover(path) == 4
    *_, unknown1, unknown2, close, tail = lines(path)
    assert {(unknown1["id"], unknown1["out"]), (unknown2["id"], unknown2["out"])} == {(11, "unknown"), (12, "unknown")}
    assert (close["id"], close["out"], close["turns"]) == (1, "lost", 3)
    assert (tail["reason"], tail["turns"], tail["sessions"]) == ("engine_died", 3, 2)


def test_recover_opens_a_session_whose_first_tick_was_lost(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    write(path, {"k": "head"})
    table = FlightTable(flight_path(path))
    table.take(20, 5, 0, 3, 4)
    table.close()
    recover(path)
    _, opened, unknown, close, tail = lines(path)
    assert [(opened["k"], opened["id"]), (unknown["s"], unknown["out"])] == [("open", 5), (5, "unknown")]
    assert (close["id"], close["out"], tail["sessions"]) == (5, "lost", 1)


def test_recover_twice_changes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    dead_engine(path)
    recover(path)
    before = path.read_bytes()
    assert recover(path) == 0
    assert path.read_bytes() == before


def test_recover_keeps_each_conversations_group(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    dead_engine(path)
    said = path.read_bytes().replace(b'"k":"open",', b'"k":"open","group":3,')
    path.write_bytes(said)
    recover(path)
    added = [line for line in lines(path) if line.get("code") == "engine_died"]
    assert {(line["k"], line["g"]) for line in added} == {("turn", 3), ("close", 3)}


def test_recover_cuts_a_torn_line_and_keeps_it_beside(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    dead_engine(path)
    with path.open("ab") as file:
        file.write(b'{"k":"turn","id":11,"s"')
    recover(path)
    assert (tmp_path / "l.jsonl.torn").read_bytes() == b'{"k":"turn","id":11,"s"'
    assert [line["id"] for line in lines(path) if line["k"] == "turn"] == [10, 11, 12]


@pytest.mark.parametrize(
    "rubbish", [b"not json", b"[" * 5000, b"7", b"{}", b'{"k":"gen","at":"NaN"}', b'{"k":"open"}', b'{"k":"???"}', b""]
)
def test_recover_passes_over_a_line_that_cannot_be_read(tmp_path: Path, rubbish: bytes) -> None:
    path = tmp_path / "l.jsonl"
    dead_engine(path)
    head, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(head + b"\n" + rubbish + b"\n" + rest)
    assert recover(path) == 4
    assert orjson.loads(path.read_bytes().splitlines()[-1])["k"] == "tail"


def test_recover_leaves_a_finished_ledger_alone(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    write(path, {"k": "head"}, turn(1), ended=True)
    before = path.read_bytes()
    assert recover(path) == 0
    assert path.read_bytes() == before


async def test_recover_refuses_while_the_engine_lives(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    ledger = Ledger(path, on_failure=give_up)
    with pytest.raises(LedgerHeldError):
        recover(path)
    ledger.close()
    assert recover(path) == 1


async def test_a_shard_cannot_write_over_a_ledger(tmp_path: Path) -> None:
    Ledger(tmp_path / "l.jsonl", on_failure=give_up).close()
    with pytest.raises(FileExistsError):
        Ledger(tmp_path / "l.jsonl", on_failure=give_up)
