"""What the parts of a request may contain: in specs, with the field's name, and in packets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio import packet as kinds

from connectors.errors import BadRequest
from connectors.request_parts import check_event, check_namespace, encoded_head
from connectors.socketio.packets import BoundedPacket
from connectors.spec import SpecError, parse_target_spec
from connectors.target import CompiledTarget

BASE = {"name": "t", "protocol": "http", "url": "http://a.example/v1", "response": {"text": "text"}}
TURN = {"message": "", "messages": [], "history": [], "turn": 0, "vars": {}, "session": {}, "saved": {}}
ODD_NAMES = st.text(st.characters() | st.sampled_from(',/[]"?0 \r\n\0\ud800'), max_size=8)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"request": {"method": "GET\r\n"}}, "request.method: 'GET\\r\\n' is not an HTTP method"),
        ({"standing": {"method": "A B"}}, "standing.method: 'A B' is not an HTTP method"),
        ({"request": {"method": "CONNECT"}}, "request.method: CONNECT opens a tunnel"),
        ({"request": {"headers": {"A:": "1"}}}, "request.headers: 'A:' is not a header name"),
        ({"request": {"headers": {"content-length": "1"}}}, "request.headers: content-length is written by"),
        ({"request": {"headers": {"A": "1\n{{ message }}"}}}, "request.headers: A has a line break"),
        ({"models": {"path": "/m", "pick": "x", "headers": {"A b": "1"}}}, "models.headers: 'A b' is not a header"),
        ({"socketio": {"hello": {"event": "disconnect"}}}, "socketio.hello.event: 'disconnect' belongs to Socket.IO"),
        ({"socketio": {"namespace": "/a,0"}}, "socketio.namespace: '/a,0' is not a namespace"),
        ({"socketio": {"path": "/a b"}}, "socketio.path: it is not a path"),
        (
            {"websocket": {"subprotocols": ["ok", "a\r\nb"]}},
            "websocket.subprotocols[1]: 'a\\r\\nb' is not a subprotocol",
        ),
        ({"url": "http://a\nb/"}, "url: 'http://a\\nb/' is not a URL: it holds a space, a line break"),
        ({"url": "http://a<b/"}, "url: 'http://a<b/': its host is not a host name"),
        ({"proxy": {"url": "http://a b/"}}, "proxy.url: its host is not a host name"),
        ({"url": "http://a", "request": {"path": "x"}}, "request.path: 'x' must begin with a slash"),
        (
            {"handshake": {"steps": [{"name": "a", "url": "/", "method": "A\n"}]}},
            "handshake.steps[0].method: 'A\\n' is not an HTTP method",
        ),
        (
            {"handshake": {"steps": [{"name": "a", "url": "/", "headers": {"Transfer-Encoding": "x"}}]}},
            "handshake.steps[0].headers: Transfer-Encoding is written by",
        ),
        (
            {"protocol": "grpc", "grpc": {"method": "a.B/C"}, "request": {"headers": {"x!": "1"}}},
            "header 'x!': names of gRPC metadata",
        ),
        (
            {"protocol": "grpc", "grpc": {"method": "a.B/C"}, "request": {"headers": {"Connection": "close"}}},
            "header 'Connection' does not exist in HTTP/2",
        ),
        ({"protocol": "grpc", "grpc": {"method": "a.B/C\r\nx"}}, "grpc.method"),
    ],
)
def test_a_spec_says_which_part_is_wrong(part: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_target_spec({**BASE, **part})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1]:8000/v1",
        "http://[fe80::1%lo]/",
        "http://a_b.example:80",
        "https://b\u00fccher.example/",
        "http://a:",
    ],
)
def test_usual_addresses_are_taken(url: str) -> None:
    assert CompiledTarget(parse_target_spec({**BASE, "url": url})).endpoint.host_header.isascii()


def test_of_two_headers_of_one_name_one_at_most_has_a_value() -> None:
    headers = {"Authorization": "Bearer {{ saved.token }}", "authorization": "Basic x"}
    target = CompiledTarget(parse_target_spec({**BASE, "request": {"headers": headers}}))
    assert target.render(dict(TURN)).headers == (("authorization", "Basic x"),)
    with pytest.raises(BadRequest, match=r"request\.headers: authorization is given twice"):
        target.render({**TURN, "saved": {"token": "t"}})
    with pytest.raises(SpecError, match="given twice"):
        CompiledTarget(parse_target_spec({**BASE, "request": {"headers": {"A": "1", "a": "1"}}}))


def test_a_method_is_sent_in_upper_case() -> None:
    target = CompiledTarget(parse_target_spec({**BASE, "request": {"method": "patch"}}))
    assert target.render(dict(TURN)).method == "PATCH"


@pytest.mark.parametrize("name", ["disconnect", "\ud800"])
def test_an_event_name_from_a_template_is_checked_in_the_turn(name: str) -> None:
    spec = {**BASE, "protocol": "socketio", "request": {"event": "{{ message }}"}}
    target = CompiledTarget(parse_target_spec(spec))
    assert target.render({**TURN, "message": "chat"}).event == "chat"
    with pytest.raises(BadRequest, match=r"request\.event"):
        target.render({**TURN, "message": name})


def test_an_event_name_from_a_param_is_checked_before_the_run_and_is_text() -> None:
    spec = {**BASE, "protocol": "socketio", "request": {"event": "{{ params.e }}"}}
    assert CompiledTarget(parse_target_spec({**spec, "params": {"e": 7}})).render(dict(TURN)).event == "7"
    with pytest.raises(SpecError, match=r"request\.event"):
        CompiledTarget(parse_target_spec({**spec, "params": {"e": "disconnect"}}))


@given(namespace=ODD_NAMES, event=ODD_NAMES)
def test_a_packet_says_the_namespace_and_event_that_were_given(namespace: str, event: str) -> None:
    """Both lanes encode with this class."""
    try:
        whole = f"/{check_namespace(namespace).lstrip('/')}"
        check_event(event)
    except ValueError:
        return
    read = BoundedPacket(encoded_packet=BoundedPacket(kinds.EVENT, [event, {}], whole, binary=False).encode())
    assert (read.packet_type, read.namespace or "/", read.id) == (kinds.EVENT, whole.partition("?")[0], None)
    assert read.data == [event, {}]


@pytest.mark.parametrize("line", ["GET /\n HTTP/1.1", "GET / HTTP/1.1\r\nX: 1", "GET /\r HTTP/1.1"])
def test_no_line_of_a_head_is_two(line: str) -> None:
    assert encoded_head("GET / HTTP/1.1", [("A", "1")]) == b"GET / HTTP/1.1\r\nA: 1\r\n"
    with pytest.raises(BadRequest, match="line break"):
        encoded_head(line, [])
    with pytest.raises(BadRequest, match="line break"):
        encoded_head("GET / HTTP/1.1", [("A", line)])
