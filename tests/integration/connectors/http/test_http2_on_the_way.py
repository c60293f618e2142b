"""HTTP/2 through TLS and proxies, in both lanes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from connectors.registry import Lane
from tests.hostile.http2.answers import ANSWER, EVENTS, OK, hold
from tests.hostile.http2.frames import (
    DATA,
    END_STREAM,
    SETTINGS,
    Http2Peer,
    frame,
    headers,
)
from tests.hostile.server import HostileServer, Peer
from tests.hostile.sse import TEXT
from tests.integration.connectors.http.over_http2 import (
    Served,
    spec,
    steps,
)
from tests.integration.connectors.lanes import LANES, one_turn
from tests.support.servers.http2_server import Seen
from tests.support.servers.http_proxy import http_proxy

lanes = pytest.mark.parametrize("lane", LANES)


AUTHORITY = trustme.CA()


def certified(folder: Path, *protocols: str) -> tuple[ssl.SSLContext, dict[str, Any]]:
    AUTHORITY.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context, {"ca_file": str(folder / "ca.pem")}


@lanes
@pytest.mark.parametrize("scheme", ["", "http", "https"])
def test_tls_agrees_on_http2(lane: Lane, tmp_path: Path, scheme: str) -> None:
    """Directly, through a proxy, and within the TLS of one."""
    context, tls = certified(tmp_path, "h2")
    of_proxy = certified(tmp_path)[0] if scheme == "https" else None
    with Served(tls=context) as served, http_proxy(served.server.port, context=of_proxy) as (proxy, url):
        more: dict[str, Any] = {"proxy": {"url": url, **({"tls": tls} if of_proxy else {})}} if scheme else {}
        turn = one_turn(lane, spec(served.url, tls=tls, **more))
    assert (turn.code, turn.text) == (None, TEXT), turn.error
    assert list(steps(turn)) == [
        "resolve",
        "connect",
        *(["proxy"] if scheme else []),
        "tls",
        "settings",
    ]
    assert bool(proxy.asked) is bool(scheme)


@lanes
@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_a_target_that_does_not_offer_http2_is_not_asked_over_http1(
    lane: Lane, tmp_path: Path, protocols: tuple[str, ...]
) -> None:
    context, tls = certified(tmp_path, *protocols)
    with Served(tls=context) as served:
        turn = one_turn(lane, spec(served.url, tls=tls))
    assert turn.code == "http2_unavailable" and turn.error and "http.version" in turn.error.told
    assert served.seen == Seen(lock=served.seen.lock)


@lanes
def test_plain_http2_goes_through_a_tunnel(lane: Lane) -> None:
    with Served() as served, http_proxy(served.server.port) as (proxy, url):
        turn = one_turn(lane, spec("http://bot.invalid:81/v1", proxy={"url": url}))
    assert (turn.code, turn.text) == (None, TEXT), turn.error
    assert proxy.asked == ["CONNECT bot.invalid:81 HTTP/1.1"]


@lanes
@pytest.mark.parametrize("tls", [False, True])
def test_what_comes_together_with_the_answer_of_the_proxy_is_the_target_s(
    lane: Lane, tmp_path: Path, *, tls: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        settings = frame(SETTINGS)
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n" + settings[:4])
        peer.send(settings[4:])
        http2 = Http2Peer(peer)
        http2.shake()
        stream = http2.read_request()
        peer.send(headers(stream, OK, EVENTS) + frame(DATA, END_STREAM, stream, ANSWER))
        hold(http2)

    context, trusts = certified(tmp_path)
    with HostileServer(script, context if tls else None) as server:
        proxy = {"url": server.url, **({"tls": trusts} if tls else {})}
        turn = one_turn(lane, spec("http://bot.invalid:81/v1", proxy=proxy))
    assert (turn.code, turn.text) == (None, TEXT), turn.error
