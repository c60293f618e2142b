"""While PostgreSQL is away the site says so, in the form that the asker reads, and it serves again by itself."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tests.integration.web import made_up
from tests.support.databases import as_default, configuration
from tests.support.processes import database_url
from tests.support.runs import until
from tests.support.servers.proxy import Proxy
from tests.support.site import running_site
from tokenburn_site import urls
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.web import outage


class Answer(NamedTuple):
    status: int
    headers: Message
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A running site whose wire to the database can be cut, seen by a program and by a person who is logged in."""

    def __init__(self, url: str, proxy: Proxy, boss: User) -> None:
        browser = Client()
        browser.force_login(boss)
        self.url, self.proxy = url, proxy
        self._headers = {
            "Authorization": f"Token {made_up.token(boss)}",
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}",
        }

    def ask(self, path: str, body: Any = None, **headers: str) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(f"{self.url}{path}", data, {**self._headers, **kind, **headers})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as exc:
            with exc:
                return Answer(exc.code, exc.headers, exc.read().decode())


@pytest.fixture
def site(postgres_database: str, valkey: str, family: ProcessGroups, tmp_path: Path) -> Iterator[Site]:
    here = urlsplit(database_url())
    assert here.hostname and here.port
    boss = made_up.user(superuser=True)
    made_up.run()
    with Proxy(here.hostname, here.port) as proxy:
        through = here._replace(netloc=f"{here.username}@127.0.0.1:{proxy.port}").geturl()
        with as_default(configuration(through)):
            server = running_site(family, tmp_path / "site.log")
            url = server.__enter__()
        try:
            yield Site(url, proxy, boss)
        finally:
            server.__exit__(None, None, None)


def test_api_pages_and_health_say_that_the_database_is_away_and_come_back(site: Site) -> None:
    assert site.ask("/api/runs/").status == 200 and site.ask("/admin/runs/run/").status == 200
    site.proxy.cut()
    for path, body in (("/api/runs/", None), ("/api/runs/1/report/", None), ("/api/runs/", {"plan": 1})):
        answer = site.ask(path, body)
        assert (answer.status, answer.json()) == (503, {"detail": outage.DETAIL}), path
        assert answer.headers["Content-Type"] == "application/json" and int(answer.headers["Retry-After"]) > 0
    for path in ("/admin/", "/admin/runs/run/", "/admin/login/", "/runs/1/report/"):
        answer = site.ask(path, Accept="text/html,*/*;q=0.8")
        assert answer.status == 503 and answer.headers["Content-Type"].startswith("text/html"), path
        assert outage.DETAIL in answer.body and "Traceback" not in answer.body and answer.headers["Retry-After"]
    health = site.ask("/api/health/")
    assert health.status == 503 and health.json()["checks"]["database"]["ok"] is False
    site.proxy.mend()
    until(lambda: site.ask("/api/runs/").status == 200, 30, "the API after the outage")
    assert site.ask("/admin/runs/run/").status == 200
    assert site.ask("/api/health/").json()["checks"]["database"]["ok"] is True


def refused(cause: BaseException | None, kind: type[Exception] = OperationalError) -> Exception:
    exc = kind("no")
    exc.__cause__ = cause
    return exc


def sqlite_error(code: int) -> sqlite3.OperationalError:
    made = sqlite3.OperationalError("no")
    made.sqlite_errorcode = code
    return made


@pytest.mark.parametrize(
    ("exc", "away"),
    [
        (refused(None), True),
        (refused(None, InterfaceError), True),
        (refused(sqlite_error(sqlite3.SQLITE_BUSY)), True),
        (refused(sqlite_error(sqlite3.SQLITE_IOERR)), True),
        (refused(sqlite_error(sqlite3.SQLITE_ERROR)), False),
        (refused(None, DatabaseError), False),
        (ValueError("no"), False),
    ],
)
def test_only_what_may_heal_is_an_outage(exc: Exception, away: bool) -> None:
    assert outage.is_outage(exc) is away


@pytest.mark.parametrize(("exc", "status"), [(refused(None), 503), (ValueError("no"), 500)])
def test_what_a_middleware_asked_of_the_database_is_told_apart_too(exc: Exception, status: int) -> None:
    assert urls.handler500 == "tokenburn_site.web.outage.server_error"
    try:
        raise exc
    except (OperationalError, ValueError):
        answer: HttpResponse = outage.server_error(RequestFactory().get("/admin/"))
    assert answer.status_code == status
    assert ("Retry-After" in answer) is (status == 503)
