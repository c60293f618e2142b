"""What the site answers, found in its own configuration: routes, actions of the admin, sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from tests.integration.web.permissions.table import MODEL_ROUTES
from tokenburn_site.asgi import application

IDS = {"pk", "id", "object_id", "plan_pk"}


def routes() -> dict[str, URLPattern]:
    """By address, as the table writes it: with ID, or another word in capitals, for each parameter."""
    return dict(_routes(get_resolver().url_patterns, "/"))


def _routes(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        route = prefix + plain(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route, pattern


def plain(pattern: str) -> str:
    route = re.sub(r"\(\?P<(?P<name>\w+)>(?:[^()\[]|\[[^]]*\])*\)", _word, pattern)
    route = re.sub(r"<(?:\w+:)?(?P<name>\w+)>", _word, route)
    return re.sub(r"^\^|\$$|\\Z$", "", route).replace("\\.", ".")


def _word(match: re.Match[str]) -> str:
    return "ID" if match["name"] in IDS else match["name"].upper()


def model_routes() -> set[str]:
    """The routes that Django's admin makes for each model, which the table writes as one row."""
    parts = {rest for rest, _ in MODEL_ROUTES} | {"ID/"}
    return {f"/admin/{label.replace('.', '/')}/{part}" for label in admins() for part in parts}


def admins() -> dict[str, Any]:
    """The pages of each model in the admin, by the model's name."""
    routes()  # finds them
    return {model._meta.label_lower: found for model, found in admin.site._registry.items()}


def actions(user: Any) -> set[tuple[str, str]]:
    """Every action of a list or of a form's button, as (address of the list, name of the action)."""
    request = RequestFactory().get("/")
    request.user = user
    return {
        (f"/admin/{label.replace('.', '/')}/", name)
        for label, found in admins().items()
        for name in [*found.get_actions(request), *(getattr(found, "actions_submit_line", None) or ())]
    }


def sockets() -> set[str]:
    """The routes of the WebSocket application, whatever it is wrapped in."""
    inner: Any = application.application_mapping["websocket"]
    while not hasattr(inner, "routes"):  # each wrapper holds the next
        inner = next(one for one in vars(inner).values() if callable(one))
    return {f"/{plain(str(route.pattern))}" for route in inner.routes}
