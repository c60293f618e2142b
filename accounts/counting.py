"""Failures of all doors are counted together, by address, with django-axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

_LOCKS: Final = tuple(Lock() for _ in range(64))
"""By address: an address that guesses keeps hardly anybody else waiting."""


def wait_s() -> int:
    return int(settings.AXES_COOLOFF_TIME.total_seconds())


def detail() -> str:
    return f"Too many failed log-ins from this address: try again in {wait_s() // 60} minutes."


def must_wait(request: HttpRequest, name: str) -> bool:
    """Whether the request's address has had too many failures."""
    asked: Any = request  # the library writes attributes of its own
    AxesProxyHandler.update_request(asked)
    asked.axes_path_info = asked.axes_path_info.replace("\0", "")  # PostgreSQL stores none
    return bool(AxesProxyHandler.is_locked(asked, {"username": name}))


def count_failure(request: HttpRequest, name: str) -> None:
    user_login_failed.send(sender=__name__, credentials={"username": name}, request=request)


@contextmanager
def in_turn(request: HttpRequest) -> Iterator[None]:
    """The guesses of one address are looked at one after the other, so that each knows of the failures before it:
    however many come at once, they get no more tries together."""
    with _LOCKS[hash(address_of(request)) % len(_LOCKS)]:
        yield


def proved(request: HttpRequest, name: str, look: Callable[[], bool]) -> bool:
    """Whether `look` finds that the password or code is right; if not, it is counted. Where the address must wait,
    nothing is looked at, and django-axes answers that in place of the page."""
    with in_turn(request):
        if must_wait(request, name):
            asked: Any = request
            asked.axes_locked_out = True
            raise PermissionDenied(detail())
        right = look()
        if not right:
            count_failure(request, name)
    return right


def address_of(request: HttpRequest) -> str | None:
    """The address for which a failure counts."""
    asked: Any = request
    AxesProxyHandler.update_request(asked)
    found: str | None = asked.axes_ip_address
    return found
