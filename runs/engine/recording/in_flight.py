"""The turns in flight, in a small memory-mapped file that survives a killed engine.

A store into a shared mapping is in the page cache at once, so it survives `kill -9` without a system call. A slot
is taken before a turn's first byte is written and given back after the turn's line is in the ledger: at any moment
every turn that may have been sent is in the ledger, in this table, or both.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SLOT = struct.Struct("<QQqqq")
_MARK = struct.Struct("<Q")
_GROW_SLOTS = 4096


class InFlight(NamedTuple):
    """`turn` and `session` are ids of the ledger; times are ns since the shard's start."""

    turn: int
    session: int
    number: int
    planned_ns: int
    sent_ns: int


def flight_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".flight")


class FlightTable:
    """Raises OSError when the file cannot be made or grown."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._free: list[int] = []
        self._map: mmap.mmap
        self._slots = 0
        self._grow()

    def take(self, turn: int, session: int, number: int, planned_ns: int, sent_ns: int) -> int:
        """Note a turn that is about to be sent (the fields of `InFlight`). Returns its slot."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        _SLOT.pack_into(self._map, slot, turn, session, number, planned_ns, sent_ns)
        return slot

    def give_back(self, slots: list[int]) -> None:
        """The lines of these turns are in the ledger."""
        mark, slots_map = _MARK.pack_into, self._map
        for slot in slots:
            mark(slots_map, slot, 0)
        self._free += slots

    def close(self) -> None:
        self._map.close()
        os.close(self._fd)

    def _grow(self) -> None:
        old = self._slots
        self._slots += _GROW_SLOTS
        os.ftruncate(self._fd, self._slots * _SLOT.size)
        _take_space(self._fd, self._slots * _SLOT.size)
        if old:
            self._map.close()
        self._map = mmap.mmap(self._fd, self._slots * _SLOT.size)
        self._free += range((self._slots - 1) * _SLOT.size, old * _SLOT.size - 1, -_SLOT.size)


def _take_space(fd: int, size: int) -> None:
    """On a full disk, a store into a mapped file without allocated space would kill the process (SIGBUS)."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as exc:
        if exc.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:  # some file systems do not support it
            raise


def read_flight(path: Path) -> Iterator[InFlight]:
    """The turns that a dead engine had in flight. An absent or torn file has fewer slots, never wrong ones."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    whole = len(data) - len(data) % _SLOT.size
    for fields in _SLOT.iter_unpack(data[:whole]):
        turn = InFlight(*fields)
        if turn.turn:
            yield turn
