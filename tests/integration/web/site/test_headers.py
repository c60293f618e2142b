"""The security headers of all responses: every address, errors, static files, and what the web server says itself."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY
from tests.support.site import running_site
from tokenburn_site import urls
from tokenburn_site.config.env import Env
from tokenburn_site.config.keys import BadEnvironment
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.web.headers import DENIED_FEATURES, SecureHandler
from tokenburn_site.web.sign_in import refused

UNSAFE = re.compile(r"unsafe-|\*|http:|https:|wasm|strict-dynamic|nonce-")


def check(headers: Mapping[str, str], where: str, stored: bool = False) -> None:
    """Fails unless these are the headers that every response has. `stored`: a static file, which may be kept."""
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'", where
    assert not UNSAFE.search(headers["Content-Security-Policy"]), where
    assert {policy[name] for name in ("frame-ancestors", "base-uri")} == {"'none'"}, where
    is_page = headers.get("Content-Type", "text/html").startswith("text/html")
    assert policy.get("script-src") == policy.get("style-src") == ("'self'" if is_page else None), where
    assert headers["X-Content-Type-Options"] == "nosniff", where
    assert headers["X-Frame-Options"] == "DENY", where
    assert headers["Referrer-Policy"] == "same-origin", where
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin", where
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin", where
    assert {f"{name}=()" for name in DENIED_FEATURES} == set(headers["Permissions-Policy"].split(", ")), where
    assert ("no-store" in headers["Cache-Control"]) is not stored, where


@pytest.fixture
def rows(db: None) -> None:
    """So that address 1 of most kinds is there."""
    run = made_up.run(RunStatus.COMPLETED)
    made_up.fill(run)
    made_up.finish(run)


AS_GET = {"head", "options", "delete"}
OF_OTHER_APPS = re.compile(r"/admin/(?!runs/)\w+/\w+/")
"""Pages of the admin, which answers AS_GET as it answers GET: whole pages, of which those of one app are enough."""


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("method", ["get", "head", "post", "options", "delete"])
@pytest.mark.parametrize("known", [False, True], ids=["stranger", "administrator"])
def test_every_address_has_them(client: Client, method: str, known: bool) -> None:
    if known:
        client.force_login(made_up.user(superuser=True))
    seen = set()
    for address in EVERY:
        if known and ("logout" in address or (method in AS_GET and OF_OTHER_APPS.match(address))):
            continue
        answer = getattr(client, method)(address)
        seen.add(answer.status_code)
        check(answer.headers, f"{method} {address}: {answer.status_code}")
    assert len(seen) > 1, seen


@pytest.mark.usefixtures("rows")
def test_the_api_has_them_for_tokens(client: Client) -> None:
    token = made_up.token(made_up.user(superuser=True))
    for address in (address for address in EVERY if address.startswith("/api/")):
        answer = client.get(address, headers={"authorization": f"Token {token}"})
        check(answer.headers, address)


def fails(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


def away(request: HttpRequest) -> HttpResponse:
    raise OperationalError("on purpose")


def weakens(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<p>", headers={"Content-Security-Policy": "script-src *", "Cache-Control": "public"})


urlpatterns = [
    *urls.urlpatterns,
    path("fails/", fails),
    path("away/", away),
    path("weakens/", weakens),
    path("wait/", lambda request: refused(request, None)),
]
handler404, handler500 = urls.handler404, urls.handler500


@pytest.mark.django_db
def test_errors_and_pages_that_would_weaken_them_have_them(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    client.raise_request_exception = False
    strict = Client(enforce_csrf_checks=True)
    answers = {
        200: client.get("/weakens/"),
        400: client.get("/admin/", headers={"host": "evil.example"}),
        403: strict.post("/admin/login/", {"username": "x"}),
        404: client.get("/nowhere/"),
        405: client.get("/runs/1/stop/"),
        500: client.get("/fails/"),
        503: client.get("/away/"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        check(answer.headers, str(status))
    check(client.get("/api/nowhere/").headers, "404 of the API")
    check(client.get("/static/nowhere.js").headers, "404 of a static file")


def test_no_page_of_ours_holds_a_script_or_a_style() -> None:
    root = Path(settings.BASE_DIR)
    pages = list(root.glob("*/templates/**/*.html"))
    assert {page.relative_to(root).parts[0] for page in pages} >= {"tokenburn_site", "runs", "accounts", "policy"}
    for page in pages:
        found = re.findall(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", page.read_text())
        assert found == [], page


@pytest.mark.django_db
def test_who_has_to_wait_gets_them_too(client: Client, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    answer = client.get("/wait/")
    assert answer.status_code == 429
    check(answer.headers, "429")


def test_what_is_no_request_gets_them_too() -> None:
    async def steps() -> dict[str, str]:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"\xff", "headers": []}
        communicator: Any = ApplicationCommunicator  # asgiref has no types there
        asked = communicator(SecureHandler(), scope)
        await asked.send_input({"type": "http.request"})
        start = await asked.receive_output()
        assert start["status"] == 400
        return {name.decode(): value.decode() for name, value in start["headers"]}

    check(async_to_sync(steps)(), "400")


@pytest.fixture(scope="module")
def site(django_db_setup: None, family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Asked by strangers only: it stores nothing."""
    log = tmp_path_factory.mktemp("site") / "site.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKENBURN_HTTPS", "true")
        with running_site(family, log, app="tests.support.servers.failing_app:application") as url:
            yield url


def asked(site: str, head: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """What the server answers to exactly these bytes."""
    parts = urlsplit(site)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as wire:
        wire.sendall(head.replace(b"\n", b"\r\n") + b"\r\n")
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, dict(answer.headers), answer.read()


REQUEST = b"GET %s HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n%s"


def test_the_web_servers_own_errors_have_them(site: str) -> None:
    status, headers, body = asked(site, REQUEST % (b"/fails/", b""))
    assert status == 500
    check(headers, "500 of the server")
    assert body == b"500 Internal Server Error: Exception inside application.\n"
    assert headers["Server"] == "daphne"


@pytest.mark.parametrize("prefix", [b"//evil.example", b"/x", b"\xff"])
def test_no_client_sets_where_the_links_of_the_site_begin(site: str, prefix: bytes) -> None:
    status, headers, _ = asked(site, REQUEST % (b"/", b"Daphne-Root-Path: %s\n" % prefix))
    assert (status, headers["Location"]) == (302, "/admin/")


def test_files_and_pages_have_them_as_they_are_served(site: str) -> None:
    for address in (b"/static/tokenburn/theme.js", b"/static/unfold/css/styles.css", b"/static/tokenburn/favicon.svg"):
        status, headers, _ = asked(site, REQUEST % (address, b""))
        assert status == 200
        check(headers, str(address), stored=True)
    status, headers, _ = asked(site, REQUEST % (b"/admin/login/", b""))
    assert status == 200
    check(headers, "the log-in")


def test_behind_https_cookies_and_addresses_are_for_https_alone(site: str) -> None:
    _, plain, _ = asked(site, REQUEST % (b"/admin/login/", b""))
    assert "Strict-Transport-Security" not in plain, "over plain HTTP it means nothing"
    _, headers, _ = asked(site, REQUEST % (b"/admin/login/", b"X-Forwarded-Proto: https\n"))
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    cookie = headers["Set-Cookie"]
    assert "Secure" in cookie and "HttpOnly" in cookie and "SameSite=Lax" in cookie


@pytest.mark.django_db
def test_cookies_are_not_for_scripts_and_other_sites(client: Client) -> None:
    client.get("/admin/login/")
    person = made_up.user(superuser=True)
    client.post("/admin/login/", {"username": person.username, "password": made_up.PASSWORD, "next": "/admin/"})
    assert set(client.cookies) == {"sessionid", "csrftoken"}
    for cookie in client.cookies.values():
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"


@pytest.mark.django_db
def test_security_txt_says_whom_to_tell(client: Client, settings: Any) -> None:
    assert client.get("/.well-known/security.txt").status_code == 404
    settings.SECURITY_CONTACT, settings.SITE_URL = "mailto:security@burn.example", "https://burn.example/"
    answer = client.get("/.well-known/security.txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    assert fields["Contact"] == "mailto:security@burn.example"
    assert fields["Canonical"] == "https://burn.example/.well-known/security.txt"
    expires = datetime.fromisoformat(fields["Expires"])
    assert timedelta(days=80) < expires - datetime.now(UTC) < timedelta(days=365)
    check(answer.headers, "security.txt")


@pytest.mark.parametrize(
    "contact", ["security@burn.example", "mailto:a\nContact: mailto:b", "javascript:x", "https://a b"]
)
def test_a_contact_that_is_no_address_is_refused(contact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBURN_SECURITY_CONTACT", contact)
    with pytest.raises(BadEnvironment, match="TOKENBURN_SECURITY_CONTACT"):
        Env.read()
