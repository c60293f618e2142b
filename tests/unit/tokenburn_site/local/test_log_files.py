"""A log never grows without bound, whoever fills it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.unit.tokenburn_site.local.test_service_supervisor import Watched
from tokenburn_site.local import service_supervisor
from tokenburn_site.local.log_files import KEEP_LOGS, bound
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.service_supervisor import Service

FLOOD = (sys.executable, "-c", "import time\nwhile True: print('x' * 999, flush=True); time.sleep(0.0002)")


def test_a_short_log_and_a_missing_one_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    bound(path, 10)
    path.write_bytes(b"0123456789")
    bound(path, 10)
    assert path.read_bytes() == b"0123456789" and list(tmp_path.iterdir()) == [path]


def test_the_end_of_a_long_log_is_kept_in_a_bounded_number_of_files(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("ab") as log:
        for number in range(KEEP_LOGS + 3):
            os.write(log.fileno(), b"lost " + f"{number}".encode() * 10)
            bound(path, 10)
    found = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert found == {"a.log": b"", "a.log.1": b"5" * 10, "a.log.2": b"4" * 10, "a.log.3": b"3" * 10}


def test_a_disk_without_room_bounds_the_log_too(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 11)
    (tmp_path / "a.log.1").mkdir()
    (tmp_path / "a.log.2").write_bytes(b"")
    bound(path, 10)
    assert path.read_bytes() == b""


def test_a_service_that_floods_its_log_is_bounded_while_it_runs(
    family: ProcessGroups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_supervisor, "KEEP_LOG_BYTES", 20_000)
    monkeypatch.setattr(service_supervisor, "LOGS_EVERY_S", 0.01)
    watched = Watched(family, tmp_path)
    watched.supervisor.start(Service("flood", FLOOD, os.environ))
    try:
        watched.until((tmp_path / "flood.log.3").exists)
        assert all(path.stat().st_size <= 20_000 for path in tmp_path.glob("flood.log.*"))
        assert len(list(tmp_path.iterdir())) == 1 + KEEP_LOGS
        assert watched.supervisor.running("flood")
    finally:
        watched.supervisor.stop()
