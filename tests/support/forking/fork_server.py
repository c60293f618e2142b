"""Starts our Python programs by forking a process that has imported what they import: `forked_popen` runs it.

A start costs 0.6 s of CPU for an engine and 2 s for `manage.py burn`, almost all of it imports, and the tests start
hundreds. A forked child is a process like any other: it has its own pid, session, environment, files, signals and
command line, also in /proc, and its parent is whoever asked for it (CLONE_PARENT), so that it is waited for, signalled
and killed as a child of `subprocess.Popen` is. Tests of how a program starts have it executed as usual (see
`forked_popen`).

The orders come on a socket of whole messages (SOCK_SEQPACKET): JSON, with the files for stdin, stdout and stderr and
the end of a pipe that closes when the child is ready. The answer is the child's pid. The server ends when nobody holds
the other end.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import platform
import runpy
import signal
import socket
import sys
import threading
import traceback
import zoneinfo
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from tests.support.forking import with_django

MESSAGE_BYTES = 1 << 18
OURS = (
    *("runs.engine.__main__", "runs.engine.witness", "mock_chatbot.__main__"),
    *("metrics.report.build", "metrics.report.junit", "metrics.report.markdown", "metrics.ingest.batch"),
    *("scenarios.importers", "runs.planning.estimate", "runs.live_stream", "runs.workers.registry"),
    *("runs.schedules.slots", "runs.capacity.search_state", "runs.supervisor.engine_process"),
)
"""Only what reads no settings: a child has an environment of its own."""
# What opens files when it is imported is not for a server: daphne makes an event loop.
OTHERS = (
    *("django.core.management", "django.contrib.admin", "django.db.backends.sqlite3.base", "psycopg"),
    *("celery.bin.celery", "celery.apps.worker", "kombu.transport.redis", "redis", "rest_framework.views"),
    *("channels.generic.websocket", "twisted.web.http", "unfold.admin", "drf_spectacular.openapi"),
    *("django_celery_beat.models",),
    *("numpy", "pydantic_settings", "rapidfuzz", "tenacity", "junitparser", "rich.live", "rich.table", "crontab"),
    *("cron_descriptor", "cronsim", "pythonjsonlogger.core", "dj_database_url", "celery.schedules", "segno"),
    *("authlib.integrations.requests_client", "cryptography.x509", "django_filters", "unfold.dataclasses"),
    *("django.template.defaulttags", "django.template.loader_tags", "django.views.debug", "unittest.mock"),
    *("whitenoise.middleware", "httptools", "django.db.migrations.executor", "celery.fixups.django"),
    *("pydantic.v1.dataclasses", "uvicorn.protocols.http.httptools_impl", "uvicorn.loops.uvloop"),
    *("uvicorn.protocols.websockets.websockets_sansio_impl", "uvicorn.lifespan.off"),
)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a terminal or a person sends: not for a server, and a program's own as if it had just begun."""


def most_files() -> int:
    """One above the highest number of an open file."""
    return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir()) + 1


def can_fork() -> bool:
    """Whether this system lets a child be its parent's sibling."""
    return sys.platform == "linux" and platform.machine() in _SYSCALLS and _tid_address() != 0


def serve(orders: socket.socket, base_path: list[str], settings: str = "") -> None:
    """Until no more orders can arrive. `settings`: those of the Django programs that it has ready, if any."""
    others: dict[str, socket.socket] = {}
    while True:
        message, files, _, _ = socket.recv_fds(orders, MESSAGE_BYTES, 4)
        if not message:
            os._exit(0)
        order = json.loads(message)
        if (wanted := order["settings"]) != settings and order["hands_on"]:
            if wanted not in others:
                others[wanted] = _server_for(wanted, base_path, [*files, orders.fileno()])
            socket.send_fds(others[wanted], [message], files)
            answer = others[wanted].recv(100)
        else:
            pid = fork_sibling()
            if pid == 0:
                orders.detach()
                _become(order, files, base_path)
            answer = str(pid).encode()
        for file in files:
            os.close(file)
        orders.send(answer)


def _server_for(settings: str, base_path: list[str], not_its: list[int]) -> socket.socket:
    """A server that has Django programs with these settings ready."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if fork_sibling() == 0:
        try:
            for file in (*not_its, ours.detach()):
                os.close(file)
            with_django.load(settings)
            _ready_to_fork()
            serve(theirs, base_path, settings)
        finally:
            traceback.print_exc()
            os._exit(1)
    theirs.close()
    return ours


# --- a child of our parent --------------------------------------------------------------------------------------------

CLONE_PARENT, CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
PR_GET_TID_ADDRESS = 40
_SYSCALLS = {"x86_64": 56, "aarch64": 220}
_libc = ctypes.PyDLL(None, use_errno=True)  # it keeps the interpreter's lock, which the child needs
_libc.syscall.restype = ctypes.c_long


def _tid_address() -> int:
    """Where libc keeps this thread's number, which a clone has to be told; 0 if the kernel does not say."""
    address = ctypes.c_ulong()
    return 0 if _libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) else address.value


def fork_sibling() -> int:
    """As os.fork, but the child's parent is ours. Only for a process of one thread."""
    flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | signal.SIGCHLD
    machine, tid = platform.machine(), ctypes.c_ulong(_tid_address())
    zero = ctypes.c_ulong(0)
    last = (tid, zero) if machine == "x86_64" else (zero, tid)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = _libc.syscall(ctypes.c_long(_SYSCALLS[machine]), ctypes.c_ulong(flags), zero, zero, *last)
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid


# --- what a child does ------------------------------------------------------------------------------------------------


def _show(argv: list[str], env: dict[str, str]) -> None:
    """Write command line and environment over the server's own, as far as there is room: what /proc shows of it."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    argv_at, argv_end, env_at, env_end = map(int, fields[45:49])
    variables = [f"{name}={env[name]}" for name in env]
    for words, begin, end in ((argv, argv_at, argv_end), (variables, env_at, env_end)):
        line = b"".join(os.fsencode(word) + b"\0" for word in words)
        ctypes.memmove(begin, line[: end - begin].ljust(end - begin, b"\0"), end - begin)


def _become(order: dict[str, Any], files: list[int], base_path: list[str]) -> NoReturn:
    """The program of the order, from its first line to the exit code."""
    code = 1
    try:
        _show([sys.executable, *order["argv"]], order["env"])
        _take(order, files)
        code = _run(order["argv"], base_path)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
    _leave(code)


def _take(order: dict[str, Any], files: list[int]) -> None:
    """Directory, environment, session and files of the order; then the pipe's end says that this is done."""
    if order["session"]:
        os.setsid()
    elif order["group"] is not None:
        os.setpgid(0, order["group"])
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    ready = os.dup2(files[3], 3)
    os.closerange(4, most_files())
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    if order["settings"]:
        with_django.imported(order["settings"])
    raw = bool(order["env"].get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = _text(0, "r", raw=False)  # type: ignore[misc] # final for mypy
    sys.stdout = sys.__stdout__ = _text(1, "w", raw=raw)  # type: ignore[misc] # final for mypy
    sys.stderr = sys.__stderr__ = _text(2, "w", raw=raw)  # type: ignore[misc] # final for mypy
    for signum in SIGNALS:
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
    if order["nests"]:
        from tests.support.forking import forked_popen

        forked_popen.nest(renews=order["renews"], settings=order["settings"])
    os.close(ready)


def _text(number: int, mode: str, *, raw: bool) -> io.TextIOWrapper:
    """As the interpreter makes its own."""
    binary = os.fdopen(number, f"{mode}b", buffering=0 if raw else -1, closefd=False)
    return io.TextIOWrapper(
        binary,
        encoding="utf-8",
        errors="surrogateescape" if mode == "r" else "backslashreplace" if number == 2 else "strict",
        line_buffering=number == 2 or os.isatty(number),
        write_through=raw,
    )


def _run(argv: list[str], base_path: list[str]) -> int:
    kind, *rest = argv
    sys.orig_argv = [sys.executable, *argv]
    try:
        if kind == "-m":
            sys.argv, sys.path[:] = rest, [str(Path.cwd()), *base_path]
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv, sys.path[:] = ["-c", *rest[1:]], ["", *base_path]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # the test's own code
        else:
            sys.argv, sys.path[:] = argv, [str(Path(kind).resolve().parent), *base_path]
            runpy.run_path(kind, run_name="__main__")
    except SystemExit as exc:
        if exc.code is None or isinstance(exc.code, int):
            return exc.code or 0
        print(exc.code, file=sys.stderr)
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """What the interpreter does at its end, but for taking itself apart."""
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = code or 120
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code & 0xFF)


def _ready_to_fork() -> None:
    """Raises AssertionError if something was opened or started that a child could not use."""
    _build(BaseModel)
    # fills the caches of templates and patterns
    CompiledTarget(build_target_spec(name="warm", url="http://127.0.0.1:9", preset="openai-chat", stream=True))
    files = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    assert not any("epoll" in file for file in files), files
    threads = [entry.name for entry in Path("/proc/self/task").iterdir()]
    assert len(threads) == 1, "a fork would lose the other threads"
    shared = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.split()[1][1::2] == "ws"]
    assert not shared, "all children would share memory that each should make for itself"
    gc.collect()
    gc.freeze()


def _build(model: type[BaseModel]) -> None:
    """Validators, each of which would be built when it is first used: half of the CPU of a short run's engine."""
    for kind in model.__subclasses__():
        kind.model_rebuild(raise_errors=False)
        _build(kind)


def main() -> None:
    orders = socket.socket(fileno=int(sys.argv[1]))
    base_path = sys.path[1:]
    for name in OURS:
        importlib.import_module(name)
    for name in OTHERS:
        with contextlib.suppress(Exception):  # some want settings: what they import is here by then
            importlib.import_module(name)
    for name in [name for name in sys.modules if name.endswith(".__main__")]:
        del sys.modules[name]  # a child runs it
    _kept = [zoneinfo.ZoneInfo(key) for key in zoneinfo.available_timezones()]  # each start of Django reads them all
    from django.conf import settings

    assert not settings.configured, "a child reads its own"
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
    _ready_to_fork()
    serve(orders, base_path)


if __name__ == "__main__":
    main()
