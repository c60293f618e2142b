"""Runs for tests: requested through the product's own services, against whatever address a test gives."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection

from connectors.spec import TargetSpec, build_target_spec
from runs.load.profile import ClosedLoad, Load
from runs.models import Run, Shard
from runs.services import request_adhoc_run

T = TypeVar("T")
SECRET = "sk-very-secret-value"


def target(url: str = "http://127.0.0.1:9/v1", **more: Any) -> TargetSpec:
    return build_target_spec(
        name="mock", url=url, preset="openai-chat", params={"model": "mock"}, **{"secrets": {"api_key": SECRET}, **more}
    )


def talk(*texts: str, name: str = "talk") -> dict[str, Any]:
    return {"name": name, "steps": [{"do": "say", "text": text} for text in texts or ("hello",)]}


def a_run(processes: int = 1, load: Load | None = None, url: str = "http://127.0.0.1:9/v1", **more: Any) -> Run:
    """A queued run. `local` unless told otherwise: no message is sent."""
    return request_adhoc_run(
        **{
            "target": target(url),
            "scenarios": [(1.0, talk())],
            "load": load or ClosedLoad(users=8, duration_s=60),
            "processes": processes,
            "seed": 7,
            "local": True,
            "witness": False,
            **more,
        }
    )


def shards(run: Run) -> list[Shard]:
    return list(Shard.objects.filter(run=run).select_related("run").order_by("index"))


def living() -> Iterator[tuple[int, int]]:
    """Every process but zombies, and its parent."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(FileNotFoundError, ProcessLookupError):
                state, parent = Path(entry.path, "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    yield int(entry.name), int(parent)


def children_of(pid: int) -> dict[int, str]:
    """Its living children: pid and command line."""
    found = {}
    for child, parent in living():
        if parent == pid:
            with suppress(FileNotFoundError, ProcessLookupError):
                found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(true: Callable[[], bool], within_s: float = 90.0, what: str = "it") -> None:
    """Wait for it; fails the test if it does not come to pass in time."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come to pass within {within_s:g} s"
        time.sleep(0.05)


def in_background(work: Callable[[], object]) -> threading.Thread:
    """A started thread with database connections of its own."""

    def do() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=do)
    thread.start()
    return thread


def at_once(*work: Callable[[], T]) -> list[T]:
    """Results of `work`, done by as many threads that begin together, with database connections of their own."""
    barrier = threading.Barrier(len(work))

    def do(one: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            barrier.wait(30)
            return one()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(do, work))
