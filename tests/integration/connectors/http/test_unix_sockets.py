"""Targets on Unix sockets, in both lanes: reached, guarded, and with secrets that go there and nowhere else."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.catalogue import fetch_models
from connectors.registry import Lane
from connectors.spec import SpecError, TargetSpec
from policy.hosts import parse
from policy.limits import Limits
from policy.targets import NotAllowedError, check_target
from tests.hostile import http, sse
from tests.hostile.good import GOOD
from tests.hostile.http2 import answers as http2_answers
from tests.hostile.server import HostileServer
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.support.servers.http2_server import http2_script

lanes = pytest.mark.parametrize("lane", LANES)
URL = "http://bot.invalid/v1"
"""Its host is never looked up."""


def spec(protocol: str, path: str, url: str = URL, **more: Any) -> TargetSpec:
    http = {"unix_socket": path} | ({"version": "2"} if protocol == "http2" else {})
    return make_spec(protocol, url, http=http, timeouts=ROOMY, **more)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "bot.sock")


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "split", "websocket", "socketio"])
def test_a_conversation(lane: Lane, protocol: str, path: str) -> None:
    with HostileServer(GOOD[protocol], unix=path) as server, Client(lane, spec(protocol, path)) as client:
        turns = client.say_all(["one", "two"])
    assert [(turn.code, turn.text) for turn in turns] == [(None, http.TEXT)] * 2, turns[0].error
    assert all(b"\r\nHost: bot.invalid\r\n" in request for request in server.requests if request.startswith(b"POST"))
    if protocol == "http":
        assert server.connections == 1 and "connect" in (turns[0].timeline.handshake_ns or {})


@lanes
def test_http2(lane: Lane, path: str) -> None:
    with HostileServer(http2_answers.good, unix=path):
        turn = one_turn(lane, spec("http2", path))
    assert (turn.code, turn.text) == (None, sse.TEXT), turn.error


@lanes
def test_tls_checks_the_name_of_the_url(lane: Lane, path: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("bot.invalid").configure_cert(context)
    tls = {"ca_file": str(tmp_path / "ca.pem")}
    with HostileServer(http.good, context, unix=path):
        fine = one_turn(lane, spec("http", path, "https://bot.invalid/v1", tls=tls))
        wrong = one_turn(lane, spec("http", path, "https://other.invalid/v1", tls=tls))
    assert (fine.code, wrong.code) == (None, "tls_failed"), fine.error


@lanes
def test_it_is_a_private_address(lane: Lane, path: str) -> None:
    with HostileServer(http.good, unix=path) as server:
        for allowed in (False, ("127.0.0.0/8", "10.0.0.0/8")):
            turn = one_turn(lane, spec("http", path), allow_private=allowed)
            assert turn.code == "address_blocked" and turn.error and path in turn.error.detail
    assert server.connections == 0


@lanes
def test_a_socket_that_is_away_is_named(lane: Lane, path: str) -> None:
    turn = one_turn(lane, spec("http", path))
    assert turn.code == "connect_refused" and turn.error and "http.unix_socket" in turn.error.advice


@lanes
def test_secrets_go_to_the_socket_and_not_where_its_url_leads(lane: Lane, path: str) -> None:
    given = spec("http", path, secrets={"api_key": "a secret"})
    assert given.own_origins() == (f"unix:{path}",)
    with HostileServer(http.good, unix=path) as server:
        fine = one_turn(lane, given)
        listed = one_turn(lane, given.model_copy(update={"secret_origins": (f"unix:{path}",)}))
        other = one_turn(lane, given.model_copy(update={"secret_origins": ("http://bot.invalid:80",)}))
    assert (fine.code, listed.code, other.code) == (None, None, "secret_withheld"), (fine.error, listed.error)
    assert len(server.requests) == 2 and all(b"Bearer a secret" in request for request in server.requests)


@lanes
def test_a_redirect_elsewhere_leaves_it(lane: Lane, path: str) -> None:
    moved = whole(b"", "Location: http://127.0.0.1:{port}/there", status="307 Temporary Redirect")

    def answer(peer: Any) -> None:
        peer.read_request()
        peer.send(moved.replace(b"{port}", str(there.port).encode()))

    with HostileServer(http.good) as there, HostileServer(answer, unix=path):
        turn = one_turn(lane, spec("http", path, follow_redirects=True))
    assert (turn.code, turn.text, len(there.requests)) == (None, http.TEXT, 1), turn.error


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_its_list_of_models(version: str, path: str) -> None:
    listed = b'{"data": [{"id": "small"}, {"id": "large"}]}'
    script, _ = http2_script(lambda asked: asked.answer(listed))

    def over_http1(peer: Any) -> None:
        peer.read_request()
        peer.send(whole(listed))

    with HostileServer(script if version == "2" else over_http1, unix=path):
        models = fetch_models(make_spec("http", URL, http={"unix_socket": path, "version": version}))
    assert models == ["large", "small"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("run/bot.sock", "from the root on"), ("/run/../bot.sock", "without . and .."), ("//run/bot", "the root on"),
        ("/run/bot\n.sock", "no path"), (f"/{'x' * 120}", "107"), ("", "no path"),
    ],
)  # fmt: skip
def test_what_is_no_path_of_a_socket(path: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        spec("http", path)


def test_where_it_has_no_effect() -> None:
    with pytest.raises(SpecError, match="proxy has no effect"):
        spec("http", "/run/bot.sock", proxy={"url": "http://127.0.0.1:3128"})
    with pytest.raises(SpecError, match=r"http\.unix_socket has no effect"):
        make_spec("grpc", "grpc://bot.invalid", http={"unix_socket": "/run/bot.sock"})


def test_a_policy_that_lists_hosts_does_not_allow_it() -> None:
    given = spec("http", "/run/bot.sock")
    check_target(given, Limits())
    with pytest.raises(NotAllowedError, match="Unix socket"):
        check_target(given, Limits(targets=parse("bot.invalid:80")))
    check_target(given, Limits(targets=parse("*:*")))
