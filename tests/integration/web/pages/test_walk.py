"""Login is required everywhere but where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

OPEN = {"/api/health/", "/admin/login/", "/.well-known/security.txt"}
MOVED = {
    "/": "/admin/",
    "/favicon.ico": "/static/tokenburn/favicon.svg",
    "/admin/logout/": "/admin/",
    "/account/log-in/code/": "/admin/login/",
    "/account/log-in/emergency/": "/admin/login/",
}
"""Addresses that say nothing but where else to go."""
OFF = {"/account/sso/", "/account/sso/back/"}
"""Of single sign-on, which the tests' site does not have."""


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Every address of the site, with "1" for whatever an address takes."""
    for pattern in patterns:
        route = prefix + _filled(str(pattern.pattern), pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        else:
            yield route


def _filled(route: str, pattern: URLPattern | URLResolver) -> str:
    for name in getattr(pattern.pattern, "converters", {}):
        route = re.sub(rf"<(\w+:)?{name}>", "1", route)
    route = re.sub(r"\(\?P<\w+>([a-z_]+)\|[^)]*\)", r"\1", route)  # one of several words: the first
    route = re.sub(r"\(\?P<\w+>[^)]*\)", "1", route)
    return re.sub(r"^\^|\$$|\\Z$", "", route).replace("\\.", ".")


EVERY = sorted({"/" + route for route in addresses(get_resolver().url_patterns)})


def test_the_walk_reaches_all_parts() -> None:
    for part in (
        "/runs/1/live/",
        "/runs/plans/1/start/",
        "/api/runs/1/stop/",
        "/api/schema/",
        "/admin/targets/target/",
    ):
        assert part in EVERY
    assert len(EVERY) > 60


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_gets_nothing(method: str, client: Client) -> None:
    for address in EVERY:
        if address in OPEN:
            continue
        answer = getattr(client, method)(address)
        if address in MOVED and answer.status_code != 405:
            assert answer.status_code == 302
            assert answer["Location"].startswith(MOVED[address]), address
        elif address in OFF and method == "get":
            assert answer.status_code == 404, address
        elif answer.status_code == 302:
            assert answer["Location"].startswith("/admin/login/?next="), address
        else:
            assert answer.status_code in {401, 405}, f"{method} {address}: {answer.status_code}"


@pytest.mark.django_db
def test_health_is_open_and_says_what_failed(client: Client) -> None:
    answer = client.get("/api/health/")
    assert answer.status_code == 503
    found = answer.json()
    assert set(found["checks"]) == {"database", "broker", "scheduler", "workers"}
    assert found["checks"]["database"]["ok"] is True
    assert found["ok"] is False
