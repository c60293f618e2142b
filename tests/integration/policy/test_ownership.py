"""Proof that a host may be tested, with real servers that answer right, wrong, slowly and without end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from connectors.security.guard import resolve
from policy import ownership
from policy.hosts import parse
from policy.limits import Limits
from policy.models import OwnedHost, Policy
from policy.ownership import ProofError, lacks_proof, prove, token
from policy.targets import NotAllowedError, check_target
from runs.planning.errors import RequestError
from runs.services import request_run
from tests.integration.web import made_up
from tests.support.runs import target

Serve = Callable[[bytes], str]
BOT = "http://bot.example:80"


@pytest.fixture(autouse=True)
def required(settings: Any, db: None) -> None:
    settings.REQUIRE_OWNERSHIP = True


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that answers each connection with these bytes."""
    listeners: list[socket.socket] = []

    def begin(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer, args=[listener, answer], daemon=True).start()
        return f"http://localhost:{listener.getsockname()[1]}"

    yield begin
    for listener in listeners:
        listener.close()


def _answer(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            peer.recv(4096)
            if answer == b"drip":
                try:
                    for _ in range(60):
                        peer.send(b"H")
                        time.sleep(0.2)
                except OSError:
                    continue
            peer.sendall(answer)


def http(body: str | bytes, status: str = "200 OK", more: str = "") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode() + data


def test_a_host_that_publishes_the_token_is_proved(serve: Serve) -> None:
    made = prove(serve(http(f"{token()}\n")))
    assert (made.host, made.port is None) == ("localhost", False)
    again = prove(serve(http(token())))
    assert again.pk != made.pk  # another port


def test_an_address_that_cannot_be_reached_is_no_obstacle(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    url = serve(http(token()))
    closed = resolve("127.0.0.2", 9, allow_private=True)
    monkeypatch.setattr(ownership, "resolve", lambda *args: [*closed, *resolve(*args)])
    assert prove(url).host == "localhost"
    monkeypatch.setattr(ownership, "resolve", lambda *args: closed)
    with pytest.raises(ProofError, match=r"could not be read: .*refused"):
        prove(url)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (http("something else"), "holds another text than"),
        (http("", "404 Not Found"), "gave HTTP 404"),
        (http("", "302 Found", "Location: https://elsewhere.example/\r\n"), "gave HTTP 302"),
        (http(b"x" * 5000), "more than 4,096 bytes"),
        (b"nonsense\r\n\r\n", "could not be read"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000, "could not be read"),
    ],
)
def test_anything_else_is_no_proof(serve: Serve, answer: bytes, says: str) -> None:
    with pytest.raises(ProofError, match=says):
        prove(serve(answer))
    assert not OwnedHost.objects.exists()


def test_a_server_that_drips_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "WITHIN_S", 0.5)
    begin = time.monotonic()
    with pytest.raises(ProofError, match="did not answer within"):
        prove(serve(b"drip"))
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("url", ["", "https://", "ftp://x", "https://a b", "https://169.254.169.254", "http://127.1:1"])
def test_the_guard_and_nonsense_are_refused(url: str, settings: Any) -> None:
    settings.ALLOW_PRIVATE = False
    with pytest.raises(ProofError):
        prove(url)


@pytest.mark.parametrize(
    ("origin", "listed", "is_free"),
    [
        (BOT, None, False),
        ("http://93.184.216.34:80", None, False),
        ("http://10.1.2.3:80", None, True),
        ("http://[::1]:80", None, True),
        ("http://localhost:9", None, True),
        (BOT, "bot.example", True),
        (BOT, "*.example", True),
        (BOT, "*:*", False),
    ],
)
def test_who_needs_a_proof(origin: str, listed: str | None, is_free: bool) -> None:
    said = lacks_proof(origin, None if listed is None else parse(listed))
    assert (not said) is is_free
    assert is_free or token() in said


def test_a_proof_at_a_well_known_port_holds_for_all_and_not_for_ever() -> None:
    row = OwnedHost.objects.create(host="bot.example")
    assert not lacks_proof("https://bot.example:8443", None)
    assert lacks_proof("https://sub.bot.example:443", None)
    OwnedHost.objects.filter(pk=row.pk).update(port=9000)
    assert not lacks_proof("https://bot.example:9000", None)
    assert lacks_proof("https://bot.example:443", None)
    OwnedHost.objects.update(proved_at=timezone.now() - timedelta(days=90, seconds=1))
    assert lacks_proof("https://bot.example:9000", None)


@pytest.mark.usefixtures("valkey")
def test_runs_of_unproved_hosts_are_refused(boss: User, settings: Any) -> None:
    plan = made_up.plan(made_up.target(url="https://bot.example/v1"))
    with pytest.raises(RequestError, match=r"nobody has proved that https://bot\.example:443 may") as refused:
        request_run(plan, boss)
    assert (refused.value.code, refused.value.field) == ("target_not_allowed", "target")
    OwnedHost.objects.create(host="bot.example")
    request_run(plan, boss)
    OwnedHost.objects.all().delete()
    Policy.objects.create(targets="bot.example")
    request_run(plan, boss)
    Policy.objects.all().delete()
    settings.REQUIRE_OWNERSHIP = False
    request_run(plan, boss)


def test_a_redirect_would_lead_to_an_unproved_host() -> None:
    with pytest.raises(NotAllowedError, match="follow_redirects"):
        check_target(target(overrides={"follow_redirects": True}), Limits())
    check_target(target(), Limits())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("answer", ["right", "wrong"])
def test_the_page_asks_a_host_once_and_locks_no_database_meanwhile(
    answer: str, admin_page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def compare(origin: str) -> None:
        asked.append(connection.in_atomic_block)
        if answer == "wrong":
            raise ProofError("another text")

    monkeypatch.setattr(ownership, "_compare", compare)
    found = admin_page.post("/admin/policy/ownedhost/add/", {"url": "https://bot.example"})
    assert (found.status_code, OwnedHost.objects.count()) == ((302, 1) if answer == "right" else (200, 0))
    assert asked == [False]


def test_the_doors(admin_page: Client, boss: User, serve: Serve) -> None:
    right, wrong = serve(http(token())), serve(http("no"))
    api = APIClient()
    api.force_login(made_up.user("runs.view_run", "runs.change_run"))
    assert api.post("/api/proved-hosts/", {"url": right}).status_code == 403
    api.force_login(boss)
    refused: dict[str, Any] = api.post("/api/proved-hosts/", {"url": wrong}).json()
    assert refused["token"] == [token()]
    made = api.post("/api/proved-hosts/", {"url": right})
    assert (made.status_code, made.json()["proved_by"]) == (201, boss.pk)
    OwnedHost.objects.all().delete()
    page = "/admin/policy/ownedhost/add/"
    assert token() in admin_page.get(page).content.decode()
    assert "holds another text" in admin_page.post(page, {"url": wrong}).content.decode()
    assert admin_page.post(page, {"url": right}).status_code == 302
    assert OwnedHost.objects.get().proved_by == boss
    assert admin_page.get(f"/admin/policy/ownedhost/{OwnedHost.objects.get().pk}/change/").status_code == 200
    out = StringIO()
    call_command("prove", stdout=out)
    call_command("prove", right, stdout=out)
    assert token() in out.getvalue()
    assert "may be tested for 90 days" in out.getvalue()
    with pytest.raises(CommandError, match="holds another text"):
        call_command("prove", wrong)
