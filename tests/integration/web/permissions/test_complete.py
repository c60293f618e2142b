"""The page docs/permissions.md has everything that the site has, and nothing else.

To add a route, run these tests: the failure shows the line to add, with the outcomes as they are. Check that they are
meant. An address that needs a row or a body of its own gets it in rows.py.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.test import Client

from tests.integration.web.permissions.routes import actions, admins, model_routes, sockets
from tests.integration.web.permissions.site import SESSIONS, Site, none_of
from tests.integration.web.permissions.table import (
    ACTIONS,
    ADMIN,
    API,
    FILES,
    MODELS,
    PAGES,
    RIGHTS,
    ROLE_TABLE,
    ROLES,
    SOCKETS,
    YES,
    lines,
    tables,
)
from tokenburn_site.config.roles import ROLES as GROUPS

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

pytestmark = pytest.mark.django_db


def row(site: Site, route: str, method: str) -> str:
    """The line that the table lacks."""
    cells = [site.outcome(who, method, route)[0] for who in ROLES]
    if route.startswith("/api/"):
        cells.insert(0, "read" if method == "GET" else "edit")
    return f"docs/permissions.md lacks a line; check that this is meant: | `{route}` | {method} | {' | '.join(cells)} |"


def test_every_route_and_method_has_a_line(site: Site) -> None:
    known = {(line.route, line.method) for line in lines(PAGES) + lines(ADMIN) + lines(API)}
    none_of(
        row(site, route, method)
        for route in site.routes.keys() - model_routes()
        for method in METHODS
        if (route, method) not in known and served(site, route, method)
    )


def served(site: Site, route: str, method: str) -> bool:
    """Whether the method has an answer of its own there. Django's admin takes all but POST for GET."""
    if route.startswith("/admin/") and method not in {"GET", "POST"}:
        return bool(site.outcome("administrator", method, route)[1])
    return site.outcome("administrator", method, route)[0] != "405"


def test_every_line_has_its_route(site: Site) -> None:
    for line in lines(PAGES) + lines(ADMIN) + lines(API):
        assert line.route in site.routes, f"{line.route} is no route: take its line out of docs/permissions.md"
    assert model_routes() <= site.routes.keys()


def test_no_route_and_method_has_two_lines() -> None:
    named = [(line.route, line.method) for line in lines(PAGES) + lines(ADMIN) + lines(API)]
    assert sorted(set(named)) == sorted(named)


def test_every_model_of_the_admin_has_a_row() -> None:
    named = {one["model"] for one in tables()[MODELS]}
    none_of(f"docs/permissions.md, {MODELS}: add a row for {model}" for model in admins().keys() - named)
    none_of(
        f"docs/permissions.md, {MODELS}: {model} has no pages: take out its row" for model in named - admins().keys()
    )


def test_every_action_has_a_line(site: Site) -> None:
    named = {(f"/admin/{one['model'].replace('.', '/')}/", one["action"]) for one in tables()[ACTIONS]}
    there = actions(site.boss)
    none_of(f"docs/permissions.md, {ACTIONS}: add a line for {name} at {at}" for at, name in there - named)
    none_of(f"docs/permissions.md, {ACTIONS}: there is no {name} at {at}" for at, name in named - there)


def test_every_socket_has_a_line() -> None:
    named = {line.route for line in lines(SOCKETS)}
    assert sockets() == named, f"docs/permissions.md, {SOCKETS}"


def test_groups_have_the_permissions_of_the_table(site: Site) -> None:
    """And every permission has its place: a new one is given to a role, or left to administrators, on purpose."""
    shown = {one["rights on"]: {role: _words(one[role]) for role in ("viewer", "operator", "only administrator")}
             for one in tables()[ROLE_TABLE]}  # fmt: skip
    for role, rights in GROUPS.items():
        assert {model: found[role] for model, found in shown.items() if found[role]} == {
            model: set(verbs) for model, verbs in rights.items()
        }, role
        names = {
            f"{one.content_type.app_label}.{one.codename}" for one in Group.objects.get(name=role).permissions.all()
        }
        assert len(names) == sum(map(len, rights.values()))
    for model, found in shown.items():
        assert found["viewer"] | found["operator"] | found["only administrator"] == _rights_of()[model], model
    missing = {
        model for model, rights in _rights_of().items() if rights - set(RIGHTS) or model in admins()
    } - shown.keys()
    assert not missing, f"docs/permissions.md, {ROLE_TABLE}: add a row for {', '.join(sorted(missing))}"


def _words(cell: str) -> set[str]:
    return {word.strip() for word in cell.split(",")} - {"", "nothing"}


def _rights_of() -> dict[str, set[str]]:
    """By model: the names of its permissions without the model's."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in Permission.objects.select_related("content_type"):
        model = one.content_type.model
        found[f"{one.content_type.app_label}.{model}"].add(one.codename.removesuffix(f"_{model}"))
    return found


@pytest.mark.parametrize("who", SESSIONS)
def test_files_of_the_disk_are_no_addresses(site: Site, who: str) -> None:
    """Only what the packages bring along as static files is served, to everybody."""
    assert not settings.MEDIA_ROOT and not getattr(settings, "WHITENOISE_ROOT", None), f"add its files to {FILES}"
    secret = Path(settings.VAR_DIR) / "ledgers" / "run-1" / "planted.jsonl"
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("planted")
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = site.sessions[who]
    for one in tables()[FILES]:
        answer = client.get(one["address"])
        assert (YES if answer.status_code == 200 else str(answer.status_code)) == one["everybody"], one["address"]
        assert b"planted" not in b"".join(answer)
