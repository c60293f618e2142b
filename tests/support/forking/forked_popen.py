"""`subprocess.Popen` that has our own programs forked by a server (see `fork_server`) and executes everything else."""

from __future__ import annotations

import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.forking import fork_server, with_django

ROOT = Path(__file__).resolve().parents[3]
COUNTING = "tests.support.servers.counting_target"
SITES = frozenset({"celery", "daphne", "tests.e2e.red_team.rows", "tests.support.ingest_child"})
"""Django programs with the settings of a site."""
MODULES = SITES | {"runs.engine", "runs.engine.witness", "mock_chatbot", COUNTING}
COMMANDS = frozenset({"burn", "probe", "stop", "load", "workers", "rotate_keys", "check", "up"})
ROOM = "." * 8000
"""Its children write their own command lines and environments over a server's, which must be as long."""
NESTING = frozenset({"celery", "manage.py", "-c"})
"""They start engines themselves."""
CONFIGURATION = ("TOKENBURN_", "DJANGO_", "DATABASE_URL", "REDIS_URL")
"""Of the environment: what a server must not know, since each child is told its own."""
Executed = subprocess.Popen
_EXECUTE = inspect.signature(Executed._execute_child)  # type: ignore[attr-defined] # private: the stubs leave it out


class Server:
    """The one that forks for this process: a child of it, which ends with it. `nested_in`: the settings of the program
    that was forked itself and started it; such a server has nothing else ready."""

    def __init__(self, orders: socket.socket, nested_in: str | None = None) -> None:
        self.orders = orders
        self.nested_in = nested_in
        self.owner = os.getpid()
        self._one = threading.Lock()

    def fork(self, order: dict[str, Any], files: Sequence[int]) -> int:
        """The child's pid, once it is what was ordered."""
        is_ready, ready = os.pipe()
        try:
            with self._one:
                socket.send_fds(self.orders, [json.dumps(order).encode()], [*files, ready])
                pid = int(self.orders.recv(100))
        finally:
            os.close(ready)
        os.read(is_ready, 1)
        os.close(is_ready)
        return pid


_server: Server | None = None
_executes_only = False


def install() -> None:
    """From here on `subprocess.Popen` forks what it can. The server starts when it is first needed."""
    if fork_server.can_fork():
        subprocess.Popen = ForkedPopen  # type: ignore[misc] # a class is replaced, which is the purpose


@contextmanager
def everything_executed() -> Iterator[None]:
    """In here no program is forked."""
    global _executes_only  # noqa: PLW0603 - one of each process
    _executes_only, before = True, _executes_only
    try:
        yield
    finally:
        _executes_only = before


def nest(*, renews: bool, settings: str) -> None:
    """A server for a program that was forked itself and starts others: forked from it before it begins. `renews`: each
    process that the program forks has a server of its own, as Celery's do, which start engines."""
    global _server  # noqa: PLW0603 - one of each process
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    base_path = [entry for entry in sys.path if entry not in ("", str(ROOT))]
    _nesting.append(renews)
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        theirs = socket.socket(fileno=os.dup2(theirs.detach(), 3))
        os.closerange(4, fork_server.most_files())
        for signum in fork_server.SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        fork_server.serve(theirs, base_path, settings)
    _nesting.pop()
    theirs.close()
    _server = Server(ours, settings)
    subprocess.Popen = ForkedPopen  # type: ignore[misc] # a class is replaced, which is the purpose
    if not _renews:
        os.register_at_fork(after_in_child=_forked)
    _renews[:] = [renews]


_nesting: list[bool] = []
_renews: list[bool] = []


def _forked() -> None:
    """In a child that a nested program forked by itself."""
    if _nesting:
        return
    if _renews[0]:
        nest(renews=True, settings="")  # in it Django is set up: no other program's
    else:
        subprocess.Popen = Executed  # type: ignore[misc] # put back


def _running() -> Server:
    global _server  # noqa: PLW0603 - one of each process
    if _server is None or _server.owner != os.getpid():
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-m", "tests.support.forking.fork_server", str(theirs.fileno()), ROOM]
        env = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURATION)}
        env |= {"ROOM": ROOM, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": ""}  # threads do not live through a fork
        with theirs:
            Executed(argv, cwd=ROOT, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        _server = Server(ours)
    return _server


class ForkedPopen(Executed):  # type: ignore[type-arg] # of text or of bytes, as its caller asks
    def _execute_child(self, *parts: Any) -> None:
        given = _EXECUTE.bind(self, *parts).arguments
        order = _order(given)
        if order is None:
            super()._execute_child(*parts)  # type: ignore[misc] # private: the stubs leave it out
            return
        names = ("p2cread", "c2pwrite", "errwrite")
        files = [given[name] if given[name] != -1 else number for number, name in enumerate(names)]
        self.pid = _running().fork(order, files)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined] # private: the stubs leave it out


def _order(given: dict[str, Any]) -> dict[str, Any] | None:
    """What the server is told; None: to be executed."""
    argv = [os.fspath(arg) for arg in given["args"]] if not isinstance(given["args"], (str, bytes, Path)) else []
    if _executes_only or _covered() or argv[:1] != [sys.executable] or not _is_ours(argv[1:]) or _is_special(given):
        return None
    env = dict(os.environ if given["env"] is None else given["env"])
    cwd = os.fspath(given["cwd"] or Path.cwd())
    if cwd != str(ROOT) or env.get("PYTHONPATH", str(ROOT)) not in ("", str(ROOT)):
        return None
    settings = _settings(argv[1:], env)
    if (server := _running()).nested_in is not None and settings not in ("", server.nested_in):
        return None
    return {
        "settings": settings,
        "hands_on": server.nested_in is None,
        "argv": argv[1:],
        "env": env,
        "cwd": cwd,
        "session": bool(given["start_new_session"]),
        "group": None if given["process_group"] == -1 else given["process_group"],
        "nests": not NESTING.isdisjoint(argv[1:3]),
        "renews": "celery" in argv[1:3],
    }


def _settings(argv: Sequence[str], env: dict[str, str]) -> str:
    """Those of a Django program, if they can be had ready."""
    match argv:
        case ["manage.py", "burn", *_]:
            usual = with_django.BURN
        case ["manage.py", *_]:
            usual = with_django.SITE
        case ["-m", module, *_] if module in SITES:
            usual = with_django.SITE
        case ["-c", *_]:
            usual = ""
        case _:
            return ""
    named = env.get("DJANGO_SETTINGS_MODULE", usual)
    return named if named in with_django.PROGRAMS else ""


def _covered() -> bool:
    """Whether coverage is measured, which begins with a program's first line."""
    return any(name.startswith("COVERAGE_PROCESS") for name in os.environ)


def _is_ours(argv: Sequence[str]) -> bool:
    match argv:
        case ["-m", module, *_]:
            return module in MODULES
        case ["-c", code, *_]:
            return "from runs.supervisor" in code
        case ["manage.py", command, *_]:
            return command in COMMANDS
    return False


def _is_special(given: dict[str, Any]) -> bool:
    asked = ("preexec_fn", "pass_fds", "shell", "executable", "gids")
    return any(given[name] for name in asked) or given["uid"] is not None or given["gid"] is not None
