"""A secret reaches no origin that is not allowed, by whatever way a target leads there, in every protocol and lane."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.origins import origin_of
from connectors.registry import Lane
from tests.hostile import http
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, Client, one_turn
from tests.integration.connectors.scripted import scripted
from tests.integration.connectors.security.planted import ALLOWED, KEY, PASSWORD, spec_of
from tests.support.servers.http_proxy import http_proxy
from tests.support.servers.wiretap import wiretap

lanes = pytest.mark.parametrize("lane", LANES)
PLACES: dict[str, dict[str, Any]] = {
    "header": {"request": {"headers": {"x-key": "a {{ secret.key }}"}}},
    "encoded": {"request": {"headers": {"authorization": "Basic {{ ('u:' ~ secret.password) | b64encode }}"}}},
    "body": {"request": {"body": {"message": "{{ secret.key }}"}}},
    "query": {"request": {"path": "/?k={{ secret.key }}"}},
}

placed = pytest.mark.parametrize(
    ("protocol", "place"),
    [(name, place) for name in sorted(GOOD) for place in PLACES if (name, place) != ("grpc", "query")],
)
"""A call of gRPC has no query."""


@lanes
@placed
def test_the_address_itself_leads_elsewhere(lane: Lane, protocol: str, place: str) -> None:
    with wiretap(GOOD[protocol]) as tap:
        turn = one_turn(lane, spec_of(protocol, tap.url, [ALLOWED], **PLACES[place]))
        assert turn.code == "secret_withheld", turn.error
        assert turn.error is not None
        assert origin_of(tap.url) in turn.error.detail and ALLOWED in turn.error.detail
        assert turn.timeline.sent_ns is None or protocol in {"websocket", "socketio", "split", "split-websocket"}
        assert not tap.holds(KEY, PASSWORD)
        assert tap.asked_by_http2() == 0


@lanes
@placed
def test_an_allowed_origin_gets_them(lane: Lane, protocol: str, place: str) -> None:
    with wiretap(GOOD[protocol]) as tap:
        turn = one_turn(lane, spec_of(protocol, tap.url, [ALLOWED, origin_of(tap.url)], **PLACES[place]))
        assert turn.code in {None, "request_invalid"}, turn.error  # gRPC's message has no such field
        assert tap.holds(KEY, PASSWORD) or protocol == "grpc"  # whose headers are packed
        if protocol != "grpc":
            assert b"x-key: a planted-key-4711" in tap.plain or place != "header"


@lanes
@pytest.mark.parametrize("part", ["auth", "hello"])
def test_socketio_connects_without_them(lane: Lane, part: str) -> None:
    payload = {"auth": {"token": "{{ secret.key }}"}, "hello": {"event": "hi", "body": ["{{ secret.key }}"]}}
    form = {"socketio": {"ack": True, part: payload[part]}}
    with wiretap(GOOD["socketio"]) as tap:
        refused = one_turn(lane, spec_of("socketio", tap.url, [ALLOWED], **form))
        assert refused.code == "secret_withheld", refused.error
        assert not tap.holds(KEY)
        assert one_turn(lane, spec_of("socketio", tap.url, None, **form)).code is None
        assert f'"{KEY}"'.encode() in tap.plain


@lanes
@pytest.mark.parametrize("protocol", ["split", "split-websocket"])
def test_the_request_for_a_standing_stream_goes_without_them(lane: Lane, protocol: str) -> None:
    form = {"standing": {"headers": {"x-key": "{{ secret.key }}"}}}
    with wiretap(GOOD[protocol]) as tap:
        refused = one_turn(lane, spec_of(protocol, tap.url, [ALLOWED], **form))
        assert refused.code == "secret_withheld", refused.error
        assert not tap.holds(KEY)
        allowed = one_turn(lane, spec_of(protocol, tap.url, None, **form))
        assert allowed.code is None, allowed.error
        assert tap.holds(KEY)


# --- ways to another origin ----------------------------------------------------------------------------------------


def to(location: str) -> bytes:
    return whole(b"elsewhere", "Content-Type: text/plain", f"Location: {location}", status="307 Moved")


@lanes
@pytest.mark.parametrize("protocol", ["http", "sse", "ndjson"])
@pytest.mark.parametrize("place", PLACES)
def test_redirects(lane: Lane, protocol: str, place: str) -> None:
    """The first one may have them; what it points to, with what it got in the address, may not."""
    with (
        wiretap(GOOD[protocol]) as evil,
        scripted(lambda asked: to(f"{evil.url}/?back={asked.headers.get('x-key', asked.path)}")) as here,
    ):
        form = {"follow_redirects": True} | PLACES[place]
        turn = one_turn(lane, spec_of(protocol, here.url, [origin_of(here.url)], **form))
        assert here.server.connections == 1
        assert not evil.holds(KEY, PASSWORD)
        if place in {"header", "query"}:  # which the address repeats
            assert turn.code == "secret_withheld", turn.error
        elif place == "body":
            assert turn.error is not None
            assert "body holds a secret" in turn.error.detail


@lanes
@pytest.mark.parametrize("part", ["headers", "body", "url"])
def test_a_handshake_step_elsewhere(lane: Lane, part: str) -> None:
    with wiretap(GOOD["http"]) as evil, scripted(lambda _: whole(http.GOOD)) as here:
        values = {"headers": {"x-key": "{{ secret.key }}"}, "body": {"k": "{{ secret.key }}"}}
        url = f"{evil.url}/token" + ("?k={{ secret.key }}" if part == "url" else "")
        step = {"name": "token", "url": url} | ({part: values[part]} if part != "url" else {})
        form = {"handshake": {"steps": [step]}}
        turn = one_turn(lane, spec_of("http", here.url, [origin_of(here.url)], **form))
        assert turn.code == "secret_withheld", turn.error
        assert turn.error is not None
        assert turn.error.detail.startswith("handshake.token: ")
        assert not evil.holds(KEY)
        assert one_turn(lane, spec_of("http", here.url, None, **form)).code is None, "as the target itself says"
        assert evil.holds(KEY)


@lanes
@pytest.mark.parametrize("protocol", ["split", "split-websocket", "websocket", "socketio", "http"])
@pytest.mark.parametrize("url", ["{}/stream", "//{}/stream", "@{}/stream", ".{}/stream"])
def test_an_address_that_an_answer_gave(lane: Lane, protocol: str, url: str) -> None:
    """A path that is saved stays a path of the same origin."""
    with wiretap(GOOD[protocol]) as evil:
        there = url.format(evil.url if url == "{}/stream" else evil.url.partition("//")[2])
        with scripted(lambda _: whole(json.dumps({"url": there}).encode())) as here:
            step = {"name": "open", "url": "/open", "save": {"url": "url"}}
            part = {"path": "{{ saved.url }}", "headers": {"x-key": "{{ secret.key }}"}}
            form: dict[str, Any] = {"handshake": {"steps": [step]}, "request": part}
            if protocol.startswith("split"):
                form["standing"] = part
            turn = one_turn(lane, spec_of(protocol, here.url, [origin_of(here.url)], **form))
            assert turn.code is not None
            assert evil.said == []


@lanes
@pytest.mark.parametrize("protocol", sorted(GOOD.keys() - {"grpc"}))
@pytest.mark.parametrize("place", ["header", "body"])
def test_a_host_header_that_names_another(lane: Lane, protocol: str, place: str) -> None:
    """A gateway may serve many hosts: the header says who gets the request, and what follows on its connection."""
    request = dict(PLACES[place]["request"])
    request["headers"] = {"Host": "{{ params.host }}"} | request.get("headers", {})
    with wiretap(GOOD[protocol]) as tap:
        form = {"request": request, "params": {"host": "evil.example"}}
        turn = one_turn(lane, spec_of(protocol, tap.url, [origin_of(tap.url)], **form))
        assert turn.code == "secret_withheld", turn.error
        assert turn.error is not None
        assert "http://evil.example:80" in turn.error.detail
        assert not tap.holds(KEY)


@lanes
@pytest.mark.parametrize("protocol", sorted(GOOD.keys() - {"grpc"}))
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_allowed(lane: Lane, protocol: str, scheme: str) -> None:
    """It reads what plain HTTP sends, and what TLS sends if certificates are not verified; and its own password."""
    form = {"request": {"headers": {"x-key": "{{ secret.key }}"}}, "tls": {"verify": False}}
    with HostileServer(GOOD[protocol]) as server, http_proxy(server.port) as (proxy, url):
        target = f"{scheme}://bot.invalid:81/v1"
        spec = spec_of(protocol, target, [f"{scheme}://bot.invalid:81"], proxy={"url": url}, **form)
        turn = one_turn(lane, spec)
        assert turn.code == "secret_withheld", turn.error
        assert turn.error is not None
        assert origin_of(url) in turn.error.detail
        assert proxy.heads == []


@lanes
@pytest.mark.parametrize("protocol", ["http", "websocket", "split"])
def test_a_proxy_that_is_allowed_gets_its_password(lane: Lane, protocol: str) -> None:
    form = {"request": {"headers": {"x-key": "{{ secret.key }}"}}}
    with HostileServer(GOOD[protocol]) as server, http_proxy(server.port) as (proxy, url):
        origins = ["http://bot.invalid:81", origin_of(url)]
        turn = one_turn(lane, spec_of(protocol, "http://bot.invalid:81/v1", origins, proxy={"url": url}, **form))
        assert turn.code is None, turn.error
        assert turn.text == http.TEXT
        assert "\r\nProxy-Authorization: Basic " in proxy.heads[0]


@lanes
def test_codecs_pack_a_secret_for_allowed_origins_only(lane: Lane) -> None:
    """What is packed cannot be searched: it is not packed for others, and follows no redirect."""
    form = {
        "request": {"body": {"k": "{{ secret.key }}"}},
        "codec": {"request": [{"name": "base64"}]},
        "follow_redirects": True,
    }
    with wiretap(GOOD["http"]) as evil, scripted(lambda _: to(f"{evil.url}/")) as here:
        turn = one_turn(lane, spec_of("http", here.url, [origin_of(here.url)], **form))
        assert turn.error is not None
        assert "body holds a secret" in turn.error.detail
        assert len(here.requests) == 1
        assert one_turn(lane, spec_of("http", evil.url, [ALLOWED], **form)).code == "secret_withheld"
        assert not evil.holds(KEY)


@lanes
def test_a_codecs_key_is_used_for_allowed_origins_only(lane: Lane) -> None:
    """Whoever gets known texts under a passphrase can guess it at leisure."""
    steps = [{"name": "cryptojs-aes", "options": {"passphrase": "{{ secret.password }}"}}]
    with Client(lane, spec_of("http", "http://127.0.0.1:9", [ALLOWED], codec={"request": steps})) as client:
        turn = client.say()
    assert turn.code == "connect_refused"
    with wiretap(GOOD["http"]) as evil:
        form: dict[str, Any] = {"codec": {"request": steps}}
        assert one_turn(lane, spec_of("http", evil.url, [ALLOWED], **form)).code == "secret_withheld"
        form["request"] = {"headers": {"Host": "{{ 'evil.example' }}"}}
        assert one_turn(lane, spec_of("http", evil.url, [origin_of(evil.url)], **form)).code == "secret_withheld"
        assert evil.plain.strip() == b""
        del form["request"]
        assert one_turn(lane, spec_of("http", evil.url, [origin_of(evil.url)], **form)).code is None
