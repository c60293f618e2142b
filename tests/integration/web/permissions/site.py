"""The site with a row of everything, and a session or token for each role. Every request is undone."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken
from accounts.tokens import make
from policy.ownership import PATH
from tests.integration.web import made_up
from tests.integration.web.permissions.forms import form_values
from tests.integration.web.permissions.routes import routes
from tests.integration.web.permissions.rows import (
    BEFORE,
    BODIES,
    NEW,
    OTHER_ROWS,
    PAGES_OF,
    PROOF,
    QUERIES,
    WORDS,
    Rows,
)
from tests.integration.web.permissions.table import LOG_IN, MISSING, NO, YES

HERE = "127.0.0.1"
WRITES = re.compile(r"""^(?:INSERT INTO|UPDATE|DELETE FROM)\s+["`]?(\w+)""", re.IGNORECASE)
ROW_PAGE = re.compile(r"/admin/\w+/\w+/\d+/")
RECORDS = re.compile(r"django_session|axes_|audit_|django_admin_log")
"""Tables of what people did: a refused request may write there."""
SESSIONS = {
    "anonymous": "anonymous",
    "logged out": "anonymous",
    "deactivated": "anonymous",
    "not staff": "not staff",
    "no longer staff": "not staff",
    "demoted": "demoted",
    "viewer": "viewer",
    "operator": "operator",
    "administrator": "administrator",
}
"""Each session that is tried, and the column of the table that tells its outcomes."""
ALL = ("read", "run", "edit")
TOKENS = {
    "token of a viewer": ("viewer", ALL),
    "token of an operator": ("operator", ALL),
    "token of an administrator": ("administrator", ALL),
    "token that reads": ("administrator", ("read",)),
    "token that runs": ("administrator", ("read", "run")),
    "token that edits": ("administrator", ("read", "edit")),
}
"""Each token that is tried: whose it is, and its scopes."""


class Effects:
    """What a request did: tables that it wrote to, and connections that it opened to the listener."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        written = WRITES.match(sql.strip())
        if written and not RECORDS.match(written[1]):
            self.found.append(written[1])
        return execute(sql, params, many, context)


@contextmanager
def listening(effects: Effects) -> Iterator[str]:
    """A server that answers all requests alike, and notes them."""

    class Noting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            effects.found.append("traffic")
            body = PROOF.encode() if self.path == PATH else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((HERE, 0), Noting)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HERE}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def user_of(role: str) -> User:
    if role == "administrator":
        return made_up.user(superuser=True)
    user = made_up.user(staff=role != "not staff")
    if role != "not staff":
        user.groups.add(Group.objects.get(name="viewer" if role == "viewer" else "operator"))
    return user


def session_of(name: str) -> str:
    """The value of the session cookie of somebody who was an operator, or is what `name` says."""
    if name == "anonymous":
        return ""
    client, user = Client(), user_of(name)
    client.force_login(user)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    if name == "logged out":
        client.post("/admin/logout/")
    elif name == "demoted":
        User.groups.through.objects.filter(user=user).delete()  # `clear` would end the session
    elif name == "no longer staff":
        User.objects.filter(pk=user.pk).update(is_staff=False)
    elif name == "deactivated":
        User.objects.filter(pk=user.pk).update(is_active=False)
    return key


def token_of(role: str, scopes: tuple[str, ...]) -> str:
    token = make(user_of(role), "program", scopes)
    # Used just now: to record that is no effect of a request.
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() + timedelta(hours=1), last_used_from=HERE)
    return token.key


class Site:
    def __init__(self, effects: Effects, listener: str) -> None:
        call_command("roles", verbosity=0)
        self.effects = effects
        self.boss = user_of("administrator")
        self.rows = Rows(listener, self.boss)
        self.routes = routes()
        self.client = Client(raise_request_exception=False)
        self.sessions = {name: session_of(name) for name in SESSIONS}
        self.tokens = {name: token_of(role, scopes) for name, (role, scopes) in TOKENS.items()}
        self.bodies: dict[tuple[str, str], Any] = {}

    def address(self, route: str, method: str) -> str:
        found = route
        for word, value in WORDS.items():
            found = found.replace(word, value(self.rows))
        if "/ID/" in found:
            found = found.replace("/ID/", f"/{self.row(route, method).pk}/")
        return found + QUERIES.get(route, "")

    def row(self, route: str, method: str = "") -> Any:
        """The row that an address, or an action (by its name in place of the method), is about."""
        for key in (f"{method} {route}", method, route):
            if key in OTHER_ROWS:
                return OTHER_ROWS[key](self.rows)
        if route.startswith("/admin/"):
            app, model = route.split("/")[2:4]
            return self.rows.target if app == "r" else self.rows.of(f"{app}.{model}")
        if (view := getattr(self.routes.get(route, None), "callback", None)) and hasattr(view, "cls"):
            return self.rows.of(view.cls.queryset.model._meta.label_lower)
        return self.rows.of(next(model for prefix, model in PAGES_OF.items() if route.startswith(prefix)))

    def body(self, route: str, method: str) -> Any:
        """What an administrator would send there: the form as it stands on the page, the row as the API shows it."""
        if method not in {"POST", "PUT", "PATCH"}:
            return {}
        if (route, method) not in self.bodies:
            self.bodies[route, method] = self._body(route, method)
        more = BODIES[route](self.rows) if method == "POST" and route in BODIES else {}
        return {**self.bodies[route, method], **more}

    def _body(self, route: str, method: str) -> Any:
        if route.endswith("/ID/delete/"):
            return {"post": "yes"}
        change = route.replace("/add/", "/ID/change/") if route.startswith("/admin/") else ""
        if change.endswith("/ID/change/") and change in self.routes:
            new = route.endswith("/add/")
            values = form_values(self.get(self.address(change, "GET")).content.decode(), new)
            return {**values, "name": NEW} if new and "name" in values else values
        detail = f"{route}ID/" if method == "POST" else route
        actions = getattr(getattr(self.routes.get(detail), "callback", None), "actions", None) or {}
        if actions.get("get") == "retrieve" and route not in BODIES:
            shown = self.get(self.address(detail, method)).json()
            return {**shown, "name": NEW} if method == "POST" else shown
        return {}

    def get(self, address: str) -> Any:
        return self.send("GET", address, self.sessions["administrator"])

    def send(self, method: str, address: str, session: str = "", body: Any = None, token: str = "") -> HttpResponseBase:
        self.client.cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: session} if session else {})
        more: dict[str, Any] = {"headers": {"Authorization": f"Token {token}"}} if token else {}
        if address.startswith("/api/") and method != "GET":
            more["content_type"] = "application/json"
        elif method in {"PUT", "PATCH", "DELETE"}:
            body = ""
        answer: HttpResponseBase = getattr(self.client, method.lower())(address, body or {}, **more)
        if answer.streaming:
            b"".join(answer)  # a file: read, or nothing of it would have been asked
        return answer

    def outcome(self, who: str, method: str, route: str) -> tuple[str, list[str]]:
        """What the site answers, in the words of the table, and what the request did. Nothing of it stays."""
        with transaction.atomic():
            self.prepare(route, method)
            body, address = self.body(route, method), self.address(route, method)
            found = self._tried(who, method, address, body)
            transaction.set_rollback(True)
        return found

    def prepare(self, route: str, method: str) -> None:
        if before := BEFORE.get(f"{method} {route}", BEFORE.get(route)):
            before(self.rows)

    def act(self, who: str, route: str, action: str) -> list[str]:
        """What an action of a list did."""
        with transaction.atomic():
            chosen = {"action": action, "_selected_action": [str(self.row(route, action).pk)], "post": "yes"}
            _, did = self._tried(who, "POST", route, chosen)
            transaction.set_rollback(True)
        return did

    def _tried(self, who: str, method: str, address: str, body: Any) -> tuple[str, list[str]]:
        self.effects.found = []
        with connection.execute_wrapper(self.effects):
            answer = self.send(method, address, self.sessions.get(who, ""), body, self.tokens.get(who, ""))
        did = sorted(set(self.effects.found))
        if address == "/api/health/" and answer.status_code == 503:
            return YES, did
        elsewhere = ROW_PAGE.match(address) and getattr(answer, "url", "") == "/admin/" and not did
        return MISSING if elsewhere else word(answer), did  # the admin has no other 404 for a row


def none_of(found: Iterable[str]) -> None:
    """Fail with all sentences that are not empty."""
    said = [one for one in found if one]
    if said:
        pytest.fail("\n".join(said))  # an assertion would cut the list


def word(answer: HttpResponseBase) -> str:
    status = answer.status_code
    if status == 401 or (status == 302 and answer["Location"].startswith("/admin/login/?next=")):
        return LOG_IN
    if status == 403:
        return NO
    return YES if status < 400 else str(status)
