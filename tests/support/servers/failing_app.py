"""An ASGI application that fails outside Django, served as the site is."""

from __future__ import annotations

from typing import Any

from tokenburn_site import asgi


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/fails/":
        raise RuntimeError("on purpose")
    await asgi.application(scope, receive, send)
