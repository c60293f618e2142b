"""Every route and action of the site, asked for by every role: what docs/permissions.md says, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integration.web.permissions.site import SESSIONS, TOKENS, Site, none_of
from tests.integration.web.permissions.table import API, NO, READ, YES, Line, action_lines, lines, listed

PAGE_OF_API = "/api/docs/"  # for browsers: tokens do not open it

pytestmark = pytest.mark.django_db


def wrong(site: Site, who: str, column: str, line: Line) -> str:
    """What is not as the table says; empty: nothing."""
    want, (found, did) = line.outcomes[column], site.outcome(who, line.method, line.route)
    where = f"{line.method} {line.route} as {who}: {want} in the table"
    if found not in want.split(" or "):
        return f"{where}, {found} in fact"
    quiet = line.reading or line.method in READ or found != YES
    if did and quiet:
        return f"{where}, but it changed or sent something: {', '.join(did)}"
    if not did and not quiet:
        return f"{where}, but nothing was changed or sent: give a body that the site accepts in rows.py"
    return ""


@pytest.mark.parametrize("who", SESSIONS)
def test_each_role_gets_what_the_table_says(site: Site, who: str) -> None:
    none_of(wrong(site, who, SESSIONS[who], line) for line in listed())


def scopes_of(line: Line) -> set[str]:
    return set(line.scope.split(", "))


@pytest.mark.parametrize("who", TOKENS)
def test_a_token_gets_what_its_user_gets_within_its_scopes(site: Site, who: str) -> None:
    column, scopes = TOKENS[who]
    allowed = {*scopes, "none"}
    assert {scope for line in lines(API) for scope in scopes_of(line)} == {"read", "run", "edit", "none", "session"}
    for line in lines(API):
        want = line if scopes_of(line) <= allowed else replace(line, outcomes={column: NO})
        if line.route != PAGE_OF_API:
            none_of([wrong(site, who, column, want)])


@pytest.mark.parametrize("who", SESSIONS)
def test_actions_do_something_for_those_whom_the_table_names(site: Site, who: str) -> None:
    for line in action_lines():
        did, want = site.act(who, line.route, line.method), line.outcomes[SESSIONS[who]]
        assert bool(did) is (want == YES), f"{line.method} at {line.route} as {who}: {want} in the table, changed {did}"


@pytest.mark.parametrize("who", SESSIONS)
def test_questions_about_the_api_break_and_change_nothing(site: Site, who: str) -> None:
    """OPTIONS and HEAD, which frameworks answer of themselves."""
    column = SESSIONS[who]
    may = {line.route for line in lines(API) if line.outcomes[column] == YES}
    for route in sorted({line.route for line in lines(API)}):
        for method in ("OPTIONS", "HEAD"):
            found, did = site.outcome(who, method, route)
            assert found[0] != "5" and not did, f"{method} {route} as {who}: {found} {did}"
            if found == YES and route not in may:
                assert method == "OPTIONS" and column not in {"anonymous", "not staff"}, f"{method} {route} as {who}"
