"""The tables of docs/permissions.md as lines: a route, a method, and the outcome for each role."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[4] / "docs" / "permissions.md"
ROLES = ("anonymous", "not staff", "demoted", "viewer", "operator", "administrator")
YES, NO, LOG_IN, MISSING = "yes", "no", "log in", "404"
OUTCOMES = re.compile(rf"{YES}|{NO}|{LOG_IN}|[45]\d\d")
ROLE_TABLE, PAGES, ADMIN, MODELS = "Rights of the groups", "Pages", "Admin", "Models in the admin"
ACTIONS, API, SOCKETS, FILES = "Actions in the admin", "API", "Sockets", "Static files"
READ = ("GET", "HEAD", "OPTIONS")
ANY = "any"
"""Of a route that treats all methods alike: each of READING is tried, and none of them changes anything."""
READING = ("GET", "POST")
UNCHANGING = {"/admin/logout/", "/api/targets/learn/"}
"""They are posted to, and change nothing, or nothing but the session that they come with."""
RIGHTS = ("view", "add", "change", "delete")
REFUSED_ROW = f"{NO} or {MISSING}"
"""Whether a row exists is told to some, as Django's admin does. Nothing of it is."""
OWN, OWN_RIGHTS = "own", ("view", "add")
"""Of a table whose rows belong to somebody: to list, see and add the own ones. The rows that are tried are others'."""
MODEL_ROUTES = {
    ("", "GET"): "view",
    ("add/", "GET"): "add",
    ("add/", "POST"): "add",
    ("ID/change/", "GET"): "view",
    ("ID/change/", "POST"): "change",
    ("ID/delete/", "GET"): "delete",
    ("ID/delete/", "POST"): "delete",
    ("ID/history/", "GET"): "view",
}
"""What Django's admin has for each model, and the right that it needs. POST to the list is a line of "Actions"."""


@dataclass(frozen=True)
class Line:
    route: str
    method: str
    outcomes: dict[str, str]
    reading: bool = False
    """Whether nothing changes, whatever the method."""
    scope: str = ""
    """Of the API: what a token needs besides its user's rights."""


def tables() -> dict[str, list[dict[str, str]]]:
    """The rows of the page's tables by heading; each row by the words of the table's head."""
    found: dict[str, list[dict[str, str]]] = {}
    heading, head = "", None
    for text in PAGE.read_text("utf-8").splitlines():
        if text.startswith("#"):
            heading = text.lstrip("# ")
        cells = [cell.strip().strip("`") for cell in text.strip("|").split("|")] if text.startswith("|") else None
        if cells is None:
            head = None
        elif head is None:
            head = cells
        elif set("".join(cells)) - set("-: "):
            found.setdefault(heading, []).append(dict(zip(head, cells, strict=True)))
    return found


def lines(heading: str) -> list[Line]:
    """Of a table that has a line for each route and method."""
    return [line for row in tables()[heading] for line in _lines(row)]


def _lines(row: dict[str, str]) -> list[Line]:
    outcomes = {role: row[role] for role in ROLES}
    assert all(OUTCOMES.fullmatch(one) for one in outcomes.values()), f"{row}: see the words at the top of the page"
    methods = READING if row["method"] == ANY else [*map(str.strip, row["method"].split(","))]
    reading = row["method"] == ANY or row["route"] in UNCHANGING
    return [Line(row["route"], one, outcomes, reading, row.get("scope", "")) for one in methods]


def listed() -> list[Line]:
    """Every line that is a request over HTTP, besides actions and files."""
    return [*lines(PAGES), *lines(ADMIN), *model_lines(), *lines(API)]


def model_lines() -> list[Line]:
    """The pages of the admin's models, out of one row for each model."""
    found = []
    for row in tables()[MODELS]:
        prefix = f"/admin/{row['model'].replace('.', '/')}/"
        for (rest, method), right in MODEL_ROUTES.items():
            outcomes = {role: _outcome(row[role], rest, right) for role in ROLES[2:]}
            found.append(Line(prefix + rest, method, {"anonymous": LOG_IN, "not staff": LOG_IN, **outcomes}))
    return found


def _outcome(cell: str, rest: str, right: str) -> str:
    mine = cell == OWN and not rest.startswith("ID/")
    if right in (OWN_RIGHTS if mine else cell.split(", ")):
        return YES
    return REFUSED_ROW if rest.startswith("ID/") else NO


def action_lines() -> list[Line]:
    """The actions of the admin's lists: the route is that of the list, the method the action's name."""
    found = []
    for row in tables()[ACTIONS]:
        outcomes = {role: row[role] for role in ROLES}
        found.append(Line(f"/admin/{row['model'].replace('.', '/')}/", row["action"], outcomes))
    return found
