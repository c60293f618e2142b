"""Where the deeds of the current thread or task come from, so that `record` need not be told at each place."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any

from audit.models import AuditEvent, Door


@dataclass
class Origin:
    """One request, command or task."""

    door: str
    request: Any = None
    user: Any = None
    recorded: int = 0
    refusals: list[AuditEvent] = field(default_factory=list)
    """Events of refused and failed deeds, which a rollback may have taken away again."""


_current: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)


def current() -> Origin | None:
    return _current.get()


def enter(origin: Origin) -> Token[Origin | None]:
    return _current.set(origin)


def leave(token: Token[Origin | None]) -> None:
    _current.reset(token)


def door_of(request: Any) -> str:
    """By its path."""
    path = str(getattr(request, "path", ""))
    if path.startswith("/api/"):
        return Door.API
    return Door.ADMIN if path.startswith("/admin/") else Door.PAGE
