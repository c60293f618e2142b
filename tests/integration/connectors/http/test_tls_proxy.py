"""Targets behind a proxy that speaks TLS itself, in both lanes."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.registry import Lane
from connectors.spec import SpecError, build_target_spec
from tests.hostile import http
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, ROOMY, TIMEOUTS, Client, make_spec, one_turn
from tests.support.servers.http_proxy import HttpProxy, http_proxy

lanes = pytest.mark.parametrize("lane", LANES)
ELSEWHERE = "bot.invalid"
LASTING = {"websocket", "socketio", "split-websocket"}
LONG = b"a long answer " * 20_000


class Certificates:
    """Of a proxy and of a target, each with a CA of its own; the proxy is at 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, str] = {}
        self.contexts: dict[str, ssl.SSLContext] = {}
        for name, host in (("proxy", "127.0.0.1"), ("target", ELSEWHERE), ("other", "elsewhere.invalid")):
            authority = trustme.CA()
            authority.cert_pem.write_to_path(str(folder / f"{name}.pem"))
            self.contexts[name] = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(host).configure_cert(context)
            self.files[name] = str(folder / f"{name}.pem")

    def spec(self, protocol: str, url: str, proxy: str, trusts: Any = None, **more: Any) -> Any:
        """`trusts`: the `tls` of the proxy, instead of what it should be."""
        given = {"url": proxy, "tls": {"ca_file": self.files["proxy"]} if trusts is None else trusts}
        both = {"proxy": given, "tls": {"ca_file": self.files["target"]}, "timeouts": ROOMY}
        return make_spec(protocol, url, **(both | more))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def through(known: Certificates) -> Iterator[Any]:
    """Starts a server and a proxy before it."""
    opened: list[Any] = []

    def start(behaviour: Any, *, tls: bool = False) -> tuple[HttpProxy, str]:
        server = HostileServer(behaviour, known.contexts["target"] if tls else None)
        opened.append(server)
        manager = http_proxy(server.__enter__().port, context=known.contexts["proxy"])
        opened.append(manager)
        return manager.__enter__()

    yield start
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


@lanes
@pytest.mark.parametrize("protocol", sorted({"http", "sse", *LASTING}))
@pytest.mark.parametrize("tls", [False, True])
def test_targets(lane: Lane, protocol: str, tls: bool, known: Certificates, through: Any) -> None:
    proxy, url = through(GOOD[protocol], tls=tls)
    assert url.startswith("https://")
    there = f"{'https' if tls else 'http'}://{ELSEWHERE}:81"
    with Client(lane, known.spec(protocol, f"{there}/v1", url)) as client:
        turns = client.say_all(["one", "two"])
    assert [(turn.code, turn.text) for turn in turns] == [(None, http.TEXT)] * 2, turns[0].error
    tunnels = [line for line in proxy.asked if line == f"CONNECT {ELSEWHERE}:81 HTTP/1.1"]
    assert len(tunnels) + len([line for line in proxy.asked if f" {there}/v1" in line]) == len(proxy.asked)
    assert bool(tunnels) is (tls or protocol in LASTING)
    steps = list(turns[0].timeline.handshake_ns or {})
    assert steps[:3] == ["resolve", "connect", "proxy"] and ("tls" in steps) is tls


@lanes
@pytest.mark.parametrize("tls", [False, True])
def test_long_messages_pass_whole(lane: Lane, tls: bool, known: Certificates, through: Any) -> None:
    said: list[bytes] = []

    def answer(peer: Peer) -> None:
        while True:
            peer.read_request()
            said.append(peer.last.partition(b"\r\n\r\n")[2])
            peer.send(whole(b'{"text": "%b"}' % LONG))

    _, url = through(answer, tls=tls)
    given = known.spec("http", f"{'https' if tls else 'http'}://{ELSEWHERE}/v1", url)
    data = given.frozen_dict() | {"response": {"text": "text"}, "limits": {}}
    data["request"] = data["request"] | {"body": "{{ message }}"}
    with Client(lane, type(given)(**data)) as client:
        turns = client.say_all([LONG.decode(), "short"])
    assert [turn.code for turn in turns] == [None, None], turns[0].error
    assert turns[0].text == turns[1].text == LONG.decode()
    assert said == [LONG, b"short"]


@lanes
def test_credentials_go_to_the_proxy_alone(lane: Lane, known: Certificates, through: Any) -> None:
    proxy, url = through(http.good)
    given = known.spec("http", f"http://{ELSEWHERE}/v1", url)
    secrets = {"proxy_user": "ada", "proxy_password": "pw:1"}
    data = {**given.frozen_dict(), "secrets": secrets}
    turn = one_turn(lane, type(given)(**data))
    assert turn.code is None, turn.error
    pair = base64.b64encode(b"ada:pw:1").decode()
    assert all(f"Proxy-Authorization: Basic {pair}" in head for head in proxy.heads)
    origin = url.replace("https", "http")  # another origin: that of the same port without TLS
    refused = one_turn(lane, type(given)(**data | {"secret_origins": [origin, f"http://{ELSEWHERE}"]}))
    assert refused.code == "secret_withheld"
    allowed = one_turn(lane, type(given)(**data | {"secret_origins": [url, f"http://{ELSEWHERE}"]}))
    assert allowed.code is None, allowed.error


@lanes
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ("certificate", "proxy.tls.ca_file")),
        ({"ca_file": "other"}, ("certificate", "proxy.url")),
        ({"ca_file": "missing"}, ("proxy.tls.ca_file", "ordinary file")),
    ],
)
def test_a_proxy_that_is_not_trusted_is_named(
    lane: Lane, tls: bool, change: dict[str, str], says: tuple[str, ...], known: Certificates, through: Any
) -> None:
    proxy, url = through(http.good, tls=tls)
    files = {name: known.files.get(file, f"/no/such/{file}.pem") for name, file in change.items()}
    turn = one_turn(lane, known.spec("http", f"{'https' if tls else 'http'}://{ELSEWHERE}", url, files))
    assert turn.code == "tls_failed" and turn.error is not None
    assert "the proxy 127.0.0.1:" in turn.error.detail
    for words in says:
        assert words in turn.error.told
    assert proxy.asked == []


@lanes
def test_the_targets_certificate_is_checked_within_the_proxys(lane: Lane, known: Certificates, through: Any) -> None:
    _, url = through(http.good, tls=True)
    turn = one_turn(lane, known.spec("http", "https://other.invalid/v1", url))
    assert turn.code == "tls_failed" and turn.error is not None
    assert "certificate" in turn.error.detail and "proxy" not in turn.error.told


@lanes
def test_a_proxy_without_tls_and_one_that_says_nothing(lane: Lane, known: Certificates) -> None:
    short = TIMEOUTS | {"connect": 0.5}
    with HostileServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        there = server.url.replace("http", "https")
        turn = one_turn(lane, known.spec("http", f"http://{ELSEWHERE}", there))
    assert turn.code == "tls_failed" and turn.error is not None and "proxy.url" in turn.error.advice
    for scheme in ("http", "https"):
        with HostileServer(Peer.hold) as server:
            there = server.url.replace("http", "https")
            turn = one_turn(lane, known.spec("http", f"{scheme}://{ELSEWHERE}", there, timeouts=short))
        assert turn.code == "connect_timeout" and turn.error is not None and "proxy" in turn.error.detail


@lanes
def test_a_connection_that_ends_within_an_answer(lane: Lane, known: Certificates, through: Any) -> None:
    def half(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")

    for tls in (False, True):
        _, url = through(half, tls=tls)
        turn = one_turn(lane, known.spec("http", f"{'https' if tls else 'http'}://{ELSEWHERE}", url))
        assert turn.code == "body_truncated", turn.error


def test_its_own_tls_is_for_proxies_that_speak_it() -> None:
    for url in ("http://127.0.0.1:3128", "socks5://127.0.0.1:1080"):
        with pytest.raises(SpecError, match=r"proxy.*tls: it is for proxies at https"):
            build_target_spec(
                name="t",
                url="http://bot.example",
                preset="openai-chat",
                overrides={"proxy": {"url": url, "tls": {"verify": False}}},
            )
