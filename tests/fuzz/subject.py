"""The process that takes the inputs: all that is measured is its own time and memory."""

from __future__ import annotations

import gc
import os
import tempfile
import time
import traceback
import weakref
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

Result = tuple[str, str, float]
"""What became of an input, the fault ("" for none), and the seconds of processor time that it took."""


class Memory(NamedTuple):
    """In MB: what the process holds, and what nobody shares with it."""

    resident: float
    own: float


def serve(pipe: Connection) -> None:
    """Answers (name of a kind, inputs) with their Results, and None with a Memory, until the pipe is closed."""
    log = os.open(Path(tempfile.gettempdir()) / "tokenburn-fuzz.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from tests.fuzz.table import KINDS

    setup_test_environment()
    _without_database()
    call_command("migrate", verbosity=0, interactive=False)
    _warm_up()
    pipe.send(sorted(KINDS))
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        pipe.send(memory() if asked is None else [result(asked[0], given) for given in asked[1]])
        _forget_receivers()


def _without_database() -> None:
    """That of a process that hung or died has the rows that this one makes."""
    from django.conf import settings

    known = Path(settings.DATABASES["default"]["NAME"])
    if known.is_relative_to(settings.VAR_DIR):
        for name in ("", "-wal", "-shm"):
            known.with_name(known.name + name).unlink(missing_ok=True)


def _warm_up() -> None:
    from tests.fuzz.kinds import rows, site

    rows.rows()
    rows.api()  # with their sessions, which a transaction that is undone would take away
    site._forms()


def _forget_receivers() -> None:
    """Django's test client connects the same functions to signals with each request, and Django keeps for each time
    what is to be done when the function is gone: 2 kB a request that are not the product's."""
    for one in list(weakref.finalize._registry):  # type: ignore[attr-defined]  # nothing public lists them
        if (alive := one.peek()) and alive[1].__qualname__ == "Signal._remove_receiver":
            one.detach()


def result(name: str, given: object) -> Result:
    from tests.fuzz.table import KINDS

    begun = time.process_time()
    try:
        outcome, fault = KINDS[name].take(given), ""
    except Exception as exc:  # noqa: BLE001 - that is what is looked for
        outcome, fault = "fault", f"{type(exc).__name__}: {exc}\n{traceback.format_exc(limit=-6)}"
    return outcome, fault, time.process_time() - begun


def memory() -> Memory:
    gc.collect()
    fields = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()[1:])
    megabytes = {name: int(value.split()[0]) / 1024 for name, value in fields.items()}
    return Memory(megabytes["Rss"], megabytes["Private_Dirty"])
