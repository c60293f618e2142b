"""Whatever a target's spec and templates give: nothing is sent, or one request of the shape that was meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.registry import Lane
from connectors.spec import SpecError, parse_target_spec
from tests.integration.connectors.lanes import LANES, ROOMY, Client
from tests.support.servers.recording_target import Answer, RecordingTarget, Seen, recording_target

SMUGGLED = "\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n"
PIECES: tuple[str, ...] = ("\r\n", "\n", "\r", "\t", " ", "\0", "\x0b", "\x7f", "\x85", "\u2028", "\u010a", "\ud800")
PIECES += (":", "/", "//", "..", "?", "#", "@", "%", "%0d%0a", ",", ";", "=", "a", "Host", " HTTP/1.1", SMUGGLED)
PIECES += ('"', "{", "\u00e9", "\\")
ODD = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=3), max_size=6).map("".join)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
UPGRADES = {"websocket", "socketio"}


@pytest.fixture(scope="module")
def peer() -> Iterator[RecordingTarget]:
    with recording_target() as target:
        yield target


@pytest.fixture(params=LANES)
def lane(request: pytest.FixtureRequest) -> Lane:
    chosen: Lane = request.param
    return chosen


def sent(
    peer: RecordingTarget, lane: Lane, protocol: str = "http", turns: int = 1, text: str = "hello", **spec: Any
) -> list[Seen] | None:
    """What one conversation makes the target see; None: the spec is refused. Fails if any byte is no part of a whole
    request."""
    data = {"name": "t", "protocol": protocol, "url": peer.url, "timeouts": ROOMY, "response": {"text": "text"}}
    peer.forget()
    try:
        with Client(lane, parse_target_spec({**data, **spec})) as client:
            codes = [client.say(text).code for _ in range(turns)]
    except SpecError:
        peer.settle()
        assert peer.requests == [], "refused, and sent"
        return None
    finally:
        peer.settle()
    assert peer.broken == []
    if not peer.requests:
        assert codes == ["request_invalid"] * turns
    return list(peer.requests)


def at_most_one(peer: RecordingTarget, lane: Lane, **given: Any) -> Seen | None:
    found = sent(peer, lane, **given)
    assert found is None or len(found) <= 1
    return found[0] if found else None


def decoded(target: str) -> bytes:
    return unquote_to_bytes(target)


# --- attacks that were carried out, and more of their kind ---------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["GET / HTTP/1.1\r\nX: 1\r\n\r\nSHUTDOWN\r\n", "GET\n", "GET /evil", "GET\t", "", "CONNECT", "connect"]
)
def test_a_method_is_one_word(peer: RecordingTarget, lane: Lane, method: str) -> None:
    assert sent(peer, lane, request={"method": method}) is None


@pytest.mark.parametrize("method", ["EVAL 'x' 0\r\nSHUTDOWN\r\nPOST", "POST /evil"])
def test_the_method_of_a_handshake_step_is_one_word(peer: RecordingTarget, lane: Lane, method: str) -> None:
    assert sent(peer, lane, handshake={"steps": [{"name": "login", "url": "/login", "method": method}]}) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "2"},
        {"content-length": "{{ vars.n }}"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "Content-Length"},
        {"Connection": "{{ message }}"},
        {"Upgrade": "h2c"},
        {"Host": "a", "host": "b"},
        {"X-A: 1\r\nX-B": "1"},
        {"X-A: 1, X-B": "1"},
        {" X-A": "1"},
        {"": "1"},
        {"X-A": "1\r\nX-B: {{ message }}"},
        {"X-A": "1\x0b"},
    ],
)
def test_headers_neither_frame_the_request_nor_begin_another(
    peer: RecordingTarget, lane: Lane, headers: dict[str, str]
) -> None:
    body = {"a": SMUGGLED}
    assert sent(peer, lane, request={"headers": headers, "body": body}) is None
    step = {"name": "login", "url": "/login", "headers": headers, "body": body}
    assert sent(peer, lane, handshake={"steps": [step]}) is None


@pytest.mark.parametrize("name", [f"a{SMUGGLED}", "a, b", "a b", ""])
def test_a_subprotocol_is_one_word(peer: RecordingTarget, lane: Lane, name: str) -> None:
    assert sent(peer, lane, "websocket", websocket={"subprotocols": [name]}) is None


@pytest.mark.parametrize("path", [f"/s{SMUGGLED}", "/s io", "/s?x=1", "/s#x", "/\u00e9"])
def test_the_path_of_socket_io_is_a_path(peer: RecordingTarget, lane: Lane, path: str) -> None:
    assert sent(peer, lane, "socketio", socketio={"path": path}) is None


@pytest.mark.parametrize("path", ["@127.0.0.2/x", ".evil.example/x", "80/x", "http://evil.example/x", "*"])
def test_a_path_leads_to_no_other_host(peer: RecordingTarget, lane: Lane, path: str) -> None:
    """Behind the target's own host and port, and before a proxy, which connects to what it reads there."""
    assert sent(peer, lane, request={"path": path}) is None
    behind: dict[str, Any] = {"url": "http://target.example", "proxy": {"url": peer.url}}
    assert sent(peer, lane, request={"path": path}, **behind) is None
    assert sent(peer, lane, text=path, request={"path": "{{ message }}"}, **behind) == []


@pytest.mark.parametrize("end", ["/a/../b", "//evil/x", "/a%zz", "/a#b", "/?a=1", "?a=1"])
def test_both_lanes_send_a_path_as_it_is(peer: RecordingTarget, lane: Lane, end: str) -> None:
    seen = at_most_one(peer, lane, text=end, request={"path": "{{ message }}"})
    assert seen is not None
    assert decoded(seen.target) == end.replace("?", "/?" if end[0] == "?" else "?").encode()


@pytest.mark.parametrize(
    "url", ["http://a b/", "http://a\r\nb/", "http://@a/", "http://:@a/", "http://a\\b/", "http://a<b/"]
)
def test_a_url_names_one_host(peer: RecordingTarget, lane: Lane, url: str) -> None:
    assert sent(peer, lane, url=url) is None
    assert sent(peer, lane, proxy={"url": url}) is None
    assert sent(peer, lane, handshake={"steps": [{"name": "login", "url": url}]}) is None


def test_a_host_beyond_ascii_is_sent_as_dns_knows_it(peer: RecordingTarget, lane: Lane) -> None:
    seen = at_most_one(peer, lane, url="http://b\u00fccher.example/", proxy={"url": peer.url})
    assert seen is not None
    assert (seen.target, seen.values("host")) == ("http://xn--bcher-kva.example/", [b"xn--bcher-kva.example"])


@pytest.mark.parametrize(
    "given", [b"a=b\x0bc", b"a=b\r\n X-Evil: 1", b"a=b\x7f", b"a=\x01", b"a\x0c=b", b"a=b; Path=/\x1b"]
)
def test_a_cookie_of_the_target_adds_no_line(peer: RecordingTarget, lane: Lane, given: bytes) -> None:
    peer.answer = lambda _: Answer(headers=(("Set-Cookie", given), ("Set-Cookie", b"good=1")))
    try:
        found = sent(peer, lane, turns=2)
    finally:
        peer.answer = lambda _: Answer()
    assert found is not None
    assert len(found) == 2
    assert b"good=1" in b"; ".join(found[1].values("cookie"))
    assert not any(value < 0x20 or value == 0x7F for line in found[1].values("cookie") for value in line)


# --- arbitrary values ----------------------------------------------------------------------------------------------


@given(text=ODD)
@FEW
def test_any_value_in_a_turn(peer: RecordingTarget, lane: Lane, text: str) -> None:
    request = {"path": "/c/{{ message }}?q={{ message }}", "body": {"m": "{{ message }}"}}
    seen = at_most_one(peer, lane, text=text, request=request)
    if seen is None:
        assert any("\ud800" <= c <= "\udfff" for c in text)
        return
    assert (seen.method, decoded(seen.target)) == ("POST", f"/c/{text}?q={text}".encode())
    assert orjson.loads(seen.body) == {"m": text}


@given(text=ODD)
@FEW
def test_any_value_in_a_header(peer: RecordingTarget, lane: Lane, text: str) -> None:
    seen = at_most_one(peer, lane, text=text, request={"path": "/c", "headers": {"X-T": "{{ message }}", "X-U": "u"}})
    if seen is None:
        assert any(ord(c) < 0x20 or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in text.strip(" \t"))
        return
    assert (seen.method, seen.target, seen.body, seen.values("x-u")) == ("POST", "/c", b"", [b"u"])
    assert [value.strip() for value in seen.values("x-t")] == [text.strip(" \t").encode("latin-1", "replace").strip()]
    assert {name for name, _ in seen.headers} <= {
        *(b"x-t", b"x-u", b"host", b"user-agent", b"accept", b"accept-encoding", b"content-length", b"connection")
    }


@pytest.mark.parametrize("part", ["method", "name", "value", "path"])
@given(text=ODD)
@FEW
def test_any_spec(peer: RecordingTarget, lane: Lane, part: str, text: str) -> None:
    if "{{" in text:
        return
    headers = {text: "v"} if part == "name" else {"X-T": text}
    at_most_one(peer, lane, request={part: text} if part in ("method", "path") else {"headers": headers})


@given(text=ODD)
@FEW
def test_any_value_before_a_proxy(peer: RecordingTarget, lane: Lane, text: str) -> None:
    spec = {"url": "http://target.example", "proxy": {"url": peer.url}, "request": {"path": "{{ message }}"}}
    seen = at_most_one(peer, lane, text=text, **spec)
    assert seen is None or seen.target.startswith("http://target.example/")


@pytest.mark.parametrize("place", ["/path", "whole path", "behind the port", "header and body"])
@given(saved=ODD)
@settings(FEW, max_examples=25)
def test_any_value_that_a_handshake_saved(peer: RecordingTarget, lane: Lane, place: str, saved: str) -> None:
    saved = saved.encode("utf-8", "ignore").decode()
    peer.answer = lambda seen: Answer(body=orjson.dumps({"text": "hi", "v": saved}))
    login = {"name": "login", "url": "/login", "save": {"v": "v"}}
    steps: dict[str, dict[str, Any]] = {
        "/path": {"url": "/s/{{ saved.v }}"},
        "whole path": {"url": f"{peer.url}/{{{{ saved.v }}}}"},
        "behind the port": {"url": f"{peer.url}{{{{ saved.v }}}}"},
        "header and body": {"url": "/s", "headers": {"X-T": "{{ saved.v }}"}, "body": "{{ saved.v }}"},
    }
    try:
        found = sent(
            peer, lane, handshake={"steps": [login, {"name": "second", **steps[place]}]}, request={"path": "/turn"}
        )
        assert found is not None
        where = [seen.target.partition("?")[0] for seen in found]
        assert where[0] == "/login"
        assert len(where) == 1 or (len(where) == 3 and where[2] == "/turn")
    finally:
        peer.answer = lambda _: Answer()


@given(end=ODD)
@FEW
def test_any_place_that_a_redirect_points_to(peer: RecordingTarget, lane: Lane, end: str) -> None:
    end = end.replace("\r", "").replace("\n", "")  # a header of the answer would end there
    location = f"{peer.url}/{end}".encode("utf-8", "ignore")
    peer.answer = lambda seen: Answer() if seen.method == "GET" else Answer(302, (("Location", location),))
    try:
        found = sent(peer, lane, request={"path": "/turn", "body": {"a": 1}}, follow_redirects=True)
    finally:
        peer.answer = lambda _: Answer()
    assert found is not None
    assert [(seen.method, seen.body) for seen in found[1:]] in ([], [("GET", b"")])


@pytest.mark.parametrize("protocol", ["websocket", "socketio", "split"])
@given(text=ODD)
@settings(FEW, max_examples=30)
def test_any_value_in_the_request_for_a_connection_that_lasts(
    peer: RecordingTarget, lane: Lane, protocol: str, text: str
) -> None:
    """The target answers with 403, so that nothing follows."""
    peer.answer = lambda _: Answer(403)
    try:
        for part in ({"path": "/c/{{ params.t }}"}, {"headers": {"X-T": "{{ params.t }}"}}):
            made = {"path": "/c", "event": "chat", **part}
            spec = {"standing": made} if protocol == "split" else {}
            seen = at_most_one(peer, lane, protocol=protocol, request=made, params={"t": text}, **spec)
            assert seen is None or (seen.method, seen.target[:2], seen.body) == ("GET", "/c", b"")
    finally:
        peer.answer = lambda _: Answer()


@given(name=ODD)
@FEW
def test_any_subprotocol_and_any_path_of_socket_io(peer: RecordingTarget, lane: Lane, name: str) -> None:
    peer.answer = lambda _: Answer(403)
    try:
        seen = at_most_one(peer, lane, protocol="websocket", websocket={"subprotocols": ["a", name]})
        assert seen is None or [v.replace(b" ", b"") for v in seen.values("sec-websocket-protocol")] == [
            f"a,{name}".encode()
        ]
        seen = at_most_one(peer, lane, protocol="socketio", socketio={"path": name}, request={"event": "chat"})
        whole = f"/{name.strip('/')}/?transport=websocket&EIO=4"
        assert seen is None or seen.target.replace("//", "/") == whole.replace("//", "/")
    finally:
        peer.answer = lambda _: Answer()
