"""Targets behind a SOCKS5 proxy, in both lanes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.registry import Lane
from connectors.spec import TargetSpec
from tests.hostile import http, sse
from tests.hostile.good import GOOD
from tests.hostile.http2 import answers as http2_answers
from tests.hostile.server import HostileServer
from tests.integration.connectors.lanes import LANES, ROOMY, Client, make_spec, one_turn
from tests.support.servers.socks_proxy import socks_proxy

lanes = pytest.mark.parametrize("lane", LANES)
ELSEWHERE = "bot.invalid"
"""A name that cannot be resolved here: the proxy must resolve it."""


def spec(protocol: str, url: str, proxy: str, *, log_in: tuple[str, str] | None = None, **more: Any) -> TargetSpec:
    given = make_spec(protocol, url, **({"proxy": {"url": proxy}, "timeouts": ROOMY} | more))
    if log_in is None:
        return given
    secrets = dict(zip(("proxy_user", "proxy_password"), log_in, strict=True))
    return type(given)(**{**given.frozen_dict(), "secrets": secrets})


@lanes
@pytest.mark.parametrize("dripping", [False, True])
@pytest.mark.parametrize("protocol", ["http", "sse", "websocket", "split"])
def test_all_connections_go_through_it_and_the_proxy_resolves(lane: Lane, protocol: str, *, dripping: bool) -> None:
    with (
        HostileServer(GOOD[protocol]) as server,
        socks_proxy(server.port, dripping=dripping) as (proxy, there),
        Client(lane, spec(protocol, f"http://{ELSEWHERE}:81/v1", f"socks5h://{there}")) as client,
    ):
        turns = client.say_all(["one", "two"])
    assert [(turn.code, turn.text) for turn in turns] == [(None, http.TEXT)] * 2, turns[0].error
    assert set(proxy.asked) == {(ELSEWHERE, 81)}
    if protocol != "split":
        assert {"resolve", "connect", "proxy"} <= (turns[0].timeline.handshake_ns or {}).keys()
    assert not any(b"http://" in request.split(b"\r\n")[0] for request in server.requests)


@lanes
@pytest.mark.parametrize(("host", "told"), [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_without_h_the_name_is_resolved_here(lane: Lane, host: str, told: str) -> None:
    with HostileServer(http.good) as server, socks_proxy(server.port) as (proxy, there):
        turn = one_turn(lane, spec("http", f"http://{host}:81/v1", f"socks5://{there}"))
        away = one_turn(lane, spec("http", f"http://{ELSEWHERE}/v1", f"socks5://{there}"))
    assert (turn.code, turn.text) == (None, http.TEXT), turn.error
    assert proxy.asked[0][0] in {told, "::1"} and proxy.asked[0][1] == 81
    assert away.code == "dns_failed" and len(proxy.asked) == 1


@lanes
def test_an_address_that_is_never_dialled_is_not_reached_by_it_either(lane: Lane) -> None:
    with socks_proxy(9) as (proxy, there):
        for scheme in ("socks5", "socks5h"):
            turn = one_turn(lane, spec("http", "http://169.254.169.254", f"{scheme}://{there}"))
            assert turn.code == "address_blocked"
        turn = one_turn(lane, spec("http", f"http://{ELSEWHERE}", f"socks5h://{there}"), allow_private=("127.0.0.0/8",))
        assert turn.code == "dns_failed", "where not all addresses are allowed, names are judged here"
    assert proxy.asked == []


@lanes
def test_tls_goes_through_it_to_the_targets_own_certificate(lane: Lane, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ELSEWHERE).configure_cert(context)
    with HostileServer(http.good, context) as server, socks_proxy(server.port) as (proxy, there):
        given = spec("http", f"https://{ELSEWHERE}/v1", f"socks5h://{there}", tls={"ca_file": str(tmp_path / "ca.pem")})
        turn = one_turn(lane, given)
    assert (turn.code, turn.text) == (None, http.TEXT), turn.error
    assert proxy.asked == [(ELSEWHERE, 443)]
    assert list(turn.timeline.handshake_ns or {})[:4] == ["resolve", "connect", "proxy", "tls"]


def test_http2_goes_through_it_and_no_byte_of_the_target_is_lost() -> None:
    """It speaks first: its settings may come with the proxy's answer."""
    with HostileServer(http2_answers.good) as server, socks_proxy(server.port) as (_, there):
        turn = one_turn("load", spec("http2", f"http://{ELSEWHERE}/v1", f"socks5h://{there}"))
    assert (turn.code, turn.text) == (None, sse.TEXT), turn.error


@lanes
def test_user_and_password_are_secrets(lane: Lane) -> None:
    log_in = ("ada", "pw:1 ü")
    with HostileServer(http.good) as server, socks_proxy(server.port, log_in) as (proxy, there):
        url = f"socks5h://{there}"
        fine = one_turn(lane, spec("http", f"http://{ELSEWHERE}/v1", url, log_in=log_in))
        wrong = one_turn(lane, spec("http", f"http://{ELSEWHERE}/v1", url, log_in=("ada", "pw")))
        none = one_turn(lane, spec("http", f"http://{ELSEWHERE}/v1", url))
    assert (fine.code, wrong.code, none.code) == (None, "proxy_refused", "proxy_refused"), fine.error
    assert proxy.log_ins == [log_in, ("ada", "pw")]
    assert not any(b"Proxy-Authorization" in request for request in server.requests)
    for turn in (wrong, none):
        assert turn.error and "proxy_user" in turn.error.told and "ada" not in turn.error.told


@lanes
@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (b"\x05\x02\x00\x01" + bytes(6), "no_proxy"),
        (b"\x05\x05\x00\x01" + bytes(6), "the target refused the connection"),
        (b"\x05\x63\x00\x01" + bytes(6), "99"),
        (b"\x05\x00\x00\x09" + bytes(6), "unknown kind 9"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SOCKS5"),
        (b"", "closed before the tunnel was open"),
    ],
)
def test_a_proxy_that_makes_no_tunnel(lane: Lane, reply: bytes, says: str) -> None:
    with HostileServer(lambda peer: None) as server, socks_proxy(server.port, reply=reply) as (_, there):
        turn = one_turn(lane, spec("http", f"http://{ELSEWHERE}", f"socks5h://{there}"))
    assert turn.code == "proxy_refused" and turn.error and says in turn.error.told, turn.error


@lanes
def test_its_secrets_go_to_nobody_else(lane: Lane) -> None:
    with HostileServer(http.good) as server, socks_proxy(server.port, ("ada", "pw")) as (proxy, there):
        given = spec("http", f"http://{ELSEWHERE}/v1", f"socks5h://{there}", log_in=("ada", "pw"))
        turn = one_turn(lane, given.model_copy(update={"secret_origins": (f"http://{ELSEWHERE}:80",)}))
    assert turn.code == "secret_withheld" and turn.error and f"http://{there}" in turn.error.told
    assert proxy.log_ins == [] and server.requests == []
