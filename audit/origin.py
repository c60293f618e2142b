"""Where the deeds of the current thread, task or process come from, so that `record` need not be told at each place."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audit.models import AuditEvent


@dataclass
class Origin:
    """One request, command or task."""

    door: str
    request: Any = None
    user: Any = None
    account: str = ""
    """Of the machine, where nobody has logged in."""
    recorded: int = 0
    refusals: list[AuditEvent] = field(default_factory=list)
    """Events of refused and failed deeds, which a rollback may have taken away again."""


_current: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)
_process: list[Origin] = []


def current() -> Origin | None:
    return _current.get() or (_process[-1] if _process else None)


def whole_process(origin: Origin) -> None:
    """For a command: what it does in any thread comes from there."""
    _process[:] = [origin]


def account_name() -> str:
    """The account of the machine that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "the command line"


@contextmanager
def within(origin: Origin) -> Iterator[None]:
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)


def door_of(request: Any) -> str:
    """By its path."""
    path = str(getattr(request, "path", ""))
    if path.startswith("/api/"):
        return "api"
    return "admin" if path.startswith("/admin/") else "page"
