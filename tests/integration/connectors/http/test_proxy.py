"""Targets behind an HTTP proxy, in both lanes and every protocol that goes through one."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.http.proxy import is_left_out
from connectors.registry import Lane
from connectors.spec import SpecError
from metrics.report.advice import advice
from tests.hostile import http
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, ROOMY, TIMEOUTS, Client, Turn, make_spec, one_turn
from tests.integration.connectors.scripted import Asked, says, scripted
from tests.support.servers.http_proxy import http_proxy
from tests.support.services import reserve_port

lanes = pytest.mark.parametrize("lane", LANES)
ELSEWHERE = "bot.invalid"
"""A name that cannot be resolved here: the proxy must resolve it."""
LASTING = {"websocket", "socketio"}


def spec(protocol: str, url: str, proxy: str, **more: Any) -> Any:
    return make_spec(protocol, url, **({"proxy": {"url": proxy}, "timeouts": ROOMY} | more))


@lanes
@pytest.mark.parametrize("protocol", sorted(GOOD.keys() - {"grpc"}))
def test_plain_targets(lane: Lane, protocol: str) -> None:
    with (
        HostileServer(GOOD[protocol]) as server,
        http_proxy(server.port) as (proxy, url),
        Client(lane, spec(protocol, f"http://{ELSEWHERE}:81/v1", url)) as client,
    ):
        turns = client.say_all(["one", "two"])
        assert [(turn.code, turn.text) for turn in turns] == [(None, http.TEXT)] * 2, turns[0].error
        tunnels = [line for line in proxy.asked if line == f"CONNECT {ELSEWHERE}:81 HTTP/1.1"]
        whole_urls = [line for line in proxy.asked if f" http://{ELSEWHERE}:81/v1" in line]
        assert len(tunnels) + len(whole_urls) == len(proxy.asked)
        if protocol in LASTING:
            assert len(tunnels) == 1 and not whole_urls
            assert "proxy" in (turns[0].timeline.handshake_ns or {})
        else:
            assert len(whole_urls) >= 2
        assert all(f"\r\nHost: {ELSEWHERE}:81" in head for head in proxy.heads)


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "websocket"])
def test_tls_goes_through_a_tunnel_to_the_targets_own_certificate(lane: Lane, protocol: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ELSEWHERE).configure_cert(context)
    with HostileServer(GOOD[protocol], context) as server, http_proxy(server.port) as (proxy, url):
        tls = {"ca_file": str(tmp_path / "ca.pem")}
        turn = one_turn(lane, spec(protocol, f"https://{ELSEWHERE}/v1", url, tls=tls))
    assert (turn.code, turn.text) == (None, http.TEXT), turn.error
    assert proxy.asked == [f"CONNECT {ELSEWHERE}:443 HTTP/1.1"]
    assert list(turn.timeline.handshake_ns or {})[:4] == ["resolve", "connect", "proxy", "tls"]


@lanes
@pytest.mark.parametrize("protocol", ["http", "websocket"])
def test_credentials_are_secrets(lane: Lane, protocol: str) -> None:
    secrets = {"proxy_user": "ada", "proxy_password": "pw:1"}
    with HostileServer(GOOD[protocol]) as server, http_proxy(server.port) as (proxy, url):
        given = spec(protocol, f"http://{ELSEWHERE}/v1", url)
        turn = one_turn(lane, given.model_copy(update={"secrets": type(given)(**_with(given, secrets)).secrets}))
    assert turn.code is None, turn.error
    pair = base64.b64encode(b"ada:pw:1").decode()
    assert all(f"Proxy-Authorization: Basic {pair}" in head for head in proxy.heads)
    assert not any(b"Proxy-Authorization" in request for request in server.requests if protocol == "websocket")


def _with(given: Any, secrets: dict[str, str]) -> dict[str, Any]:
    return {**given.frozen_dict(), "secrets": secrets}


@lanes
def test_what_is_left_out_is_reached_directly(lane: Lane) -> None:
    with HostileServer(http.good) as server, http_proxy(server.port) as (proxy, url):
        left_out = {"url": url, "no_proxy": ["127.0.0.0/8"]}
        turn = one_turn(lane, make_spec("http", server.url, timeouts=ROOMY, proxy=left_out))
    assert turn.code is None
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("host", "no_proxy", "left_out"),
    [
        ("bot.example", ["bot.example"], True), ("a.bot.example", ["bot.example"], True),
        ("a.bot.example", [".bot.example"], True), ("a.bot.example", ["*.bot.example"], True),
        ("robot.example", ["bot.example"], False), ("10.1.2.3", ["10.0.0.0/8"], True),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("::1", ["::1"], True), ("BOT.example.", ["bot.EXAMPLE"], True), ("bot.example", ["*"], True),
        ("bot.example", ["", "10.0.0.0/8", "other"], False),
    ],
)  # fmt: skip
def test_which_hosts_are_left_out(host: str, no_proxy: list[str], left_out: bool) -> None:
    assert is_left_out(host, no_proxy) is left_out


@lanes
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (whole(b"", status="403 Forbidden"), ("403 Forbidden", "no_proxy")),
        (whole(b"", status="407 Proxy Authentication Required"), ("407", "proxy_user")),
        (whole(b"no route", status="502 Bad Gateway"), ("502", "target's host and port")),
        (b"SSH-2.0-x\r\n", ("SSH", "proxy.url")),
    ],
)
def test_a_proxy_that_makes_no_tunnel(lane: Lane, answer: bytes, says: tuple[str, ...]) -> None:
    with http_proxy(9, answer) as (_, url):
        turn = one_turn(lane, spec("websocket", f"http://{ELSEWHERE}", url))
    assert turn.code == "proxy_refused" and turn.error is not None
    for words in says:
        assert words in turn.error.told
    assert advice("proxy_refused")


@lanes
def test_a_proxy_that_wants_credentials_of_a_plain_request(lane: Lane) -> None:
    with http_proxy(9, whole(b"", status="407 Proxy Authentication Required")) as (_, url):
        turn = one_turn(lane, spec("http", f"http://{ELSEWHERE}", url))
    assert turn.code == "http_407" and turn.error is not None and "proxy_user" in turn.error.advice


@lanes
@pytest.mark.parametrize("script", [Peer.hold, Peer.read_request])
def test_a_proxy_that_says_nothing(lane: Lane, script: Any) -> None:
    with HostileServer(script) as server:
        turn = one_turn(lane, spec("http", f"https://{ELSEWHERE}", server.url, timeouts=TIMEOUTS | {"connect": 0.5}))
    assert turn.code == ("connect_timeout" if script is Peer.hold else "proxy_refused"), turn.error
    assert turn.error is not None and "proxy" in turn.error.detail


@lanes
@pytest.mark.parametrize("where", ["http://no-such-proxy.invalid:3128", "http://127.0.0.1:{free}"])
def test_a_proxy_that_is_away_is_named(lane: Lane, where: str) -> None:
    url = where.format(free=reserve_port())
    turn = one_turn(lane, spec("http", "http://127.0.0.1:9", url))
    assert turn.code in {"dns_failed", "connect_refused"} and turn.error is not None
    assert url.removeprefix("http://") in turn.error.detail and "proxy.url" in turn.error.advice


@lanes
def test_an_address_that_is_never_dialled_is_not_reached_by_a_proxy_either(lane: Lane) -> None:
    with http_proxy(9) as (proxy, url):
        turn = one_turn(lane, spec("http", "http://169.254.169.254", url))
        assert turn.code == "address_blocked"
        turn = one_turn(lane, spec("http", f"http://{ELSEWHERE}", url), allow_private=("127.0.0.0/8",))
        assert turn.code == "dns_failed", "where not all addresses are allowed, names are judged here"
    assert proxy.asked == []


@lanes
def test_steps_of_a_handshake_and_redirects_go_through_it_too(lane: Lane) -> None:
    def answer(asked: Asked) -> bytes:
        if asked.path == "/token":
            return says({"token": "t"})
        if asked.path == "/v1/chat/completions":
            return whole(b"", "Location: http://other.invalid/final", status="307 Temporary Redirect")
        return whole(http.GOOD)

    step = {"name": "token", "url": "http://login.invalid/token", "save": {"token": "token"}}
    with scripted(answer) as there, http_proxy(there.server.port) as (proxy, url):
        turn: Turn = one_turn(
            lane, spec("http", f"http://{ELSEWHERE}/v1", url, handshake={"steps": [step]}, follow_redirects=True)
        )
    assert (turn.code, turn.text) == (None, http.TEXT), turn.error
    assert [line.split(" ")[1] for line in proxy.asked] == [
        "http://login.invalid/token",
        f"http://{ELSEWHERE}/v1/chat/completions",
        "http://other.invalid/final",
    ]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("socks4://127.0.0.1:1080", "socks5://host:port"),
        ("ftp://127.0.0.1:3128", "https://host:port"),
        ("127.0.0.1:3128", "http://host:port"),
        ("http://ada:pw@127.0.0.1:3128", "proxy_user"),
    ],
)
def test_proxies_that_are_not_spoken_to(url: str, says: str) -> None:
    with pytest.raises(SpecError, match=says) as caught:
        spec("http", "http://bot.example", url)
    assert "pw@" not in str(caught.value)


def test_grpc_goes_straight() -> None:
    with pytest.raises(SpecError, match="gRPC"):
        spec("grpc", "grpc://bot.example", "http://127.0.0.1:3128")
