"""WebSocket routes of the live pages."""

from collections.abc import Callable
from typing import Any

from django.urls import path, re_path
from django.urls.resolvers import URLPattern

from runs.web.consumers import NoConsumer, RunConsumer


def socket_routes(guarded: Callable[[Any], Any]) -> list[URLPattern]:
    """`guarded`: wraps what answers at an address; elsewhere every socket is refused."""
    return [path("ws/runs/<int:pk>/", guarded(RunConsumer.as_asgi())), re_path("", NoConsumer.as_asgi())]
