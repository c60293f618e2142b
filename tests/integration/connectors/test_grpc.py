"""gRPC on both lanes against a server that nobody here wrote (grpcio's): what the mock and the hostile ones leave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_reflection.v1alpha import reflection_pb2 as talk

from connectors.grpc.methods import known_methods
from connectors.grpc.proto import compile_proto
from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from tests.hostile.grpc import PROTO
from tests.integration.connectors.lanes import LANES, LIMITS, TIMEOUTS, Client, Turn, make_spec
from tests.support.grpc_target import Target, grpc_target, words

lanes = pytest.mark.parametrize("lane", LANES)
CONVERSE = {"method": "tokenburn.mock.v1.Chat/Converse", "proto": PROTO}


def converse(url: str, reconnect: str = "fail", **overrides: Any) -> TargetSpec:
    return make_spec("grpc", url, grpc={**CONVERSE, "reconnect": reconnect}, **overrides)


def unary(url: str, **overrides: Any) -> TargetSpec:
    overrides = {"timeouts": TIMEOUTS, "limits": LIMITS, "grpc": {"proto": PROTO}} | overrides
    return build_target_spec(name="test", url=url, preset="generic-grpc", overrides=overrides)


def said(turns: list[Turn]) -> list[tuple[str | None, str]]:
    return [(turn.code, turn.text) for turn in turns]


# --- the three kinds of methods ---------------------------------------------------------------------------------


@lanes
def test_a_unary_method_answers_each_turn(lane: Lane) -> None:
    with grpc_target(Target()) as target, Client(lane, unary(target.url)) as client:
        turns = client.say_all(["one", "two"])
    assert said(turns) == [(None, "one number 0"), (None, "two number 0")]
    assert [(t.timeline.tokens_in, t.timeline.tokens_out, t.timeline.chunks) for t in turns] == [(1, 2, 1)] * 2
    assert target.asked == ["one", "two"]
    assert all(left is not None and left < TIMEOUTS["total"] + 0.1 for left in target.deadlines), target.deadlines


@lanes
def test_one_stream_carries_a_conversation_and_another_the_next(lane: Lane) -> None:
    with grpc_target(Target()) as target, Client(lane, converse(target.url)) as client:
        first = client.say_all(["one", "two", "three"])
        client.connector.begin({"id": "next"})
        second = client.say_all(["four"])
    assert said(first) == [(None, "one number 0"), (None, "two number 1"), (None, "three number 2")]
    assert said(second) == [(None, "four number 0")]
    assert target.streams == 2
    assert target.streams_ended == 2, "a conversation that is over closes its stream, it does not cancel it"


@lanes
def test_a_stream_without_an_end_mark_is_a_message_a_turn(lane: Lane) -> None:
    def one(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"usage": {"input_tokens": 3}}
        yield {"delta": f"{text} {number}"}

    with grpc_target(Target(one)) as target:
        spec = converse(target.url, response={"done": None})
        with Client(lane, spec) as client:
            turns = client.say_all(["a", "b"])
    assert said(turns) == [(None, "a 0"), (None, "b 1")]
    assert [t.timeline.tokens_in for t in turns] == [3, 3]


@lanes
def test_what_comes_between_two_turns_of_a_stream_is_no_answer_but_may_be_saved(lane: Lane) -> None:
    more = threading.Event()

    def chatty(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"delta": text}
        yield {"done": True}
        if number == 0:
            assert more.wait(5)
            yield {"delta": "nobody asked", "response": "kept"}

    with grpc_target(Target(chatty)) as target:
        spec = converse(target.url, response={"save": {"note": "response"}})
        with Client(lane, spec) as client:
            turns = client.say_all(["one"])
            more.set()
            while not client.connector.stray:
                client.idle(0.01)
            turns += client.say_all(["two"])
            assert client.connector.saved == {"note": "kept"}
    assert said(turns) == [(None, "one"), (None, "two")]


@lanes
@pytest.mark.parametrize("reconnect", ["fail", "resume"])
def test_a_stream_that_ended_between_turns_fails_or_is_made_anew(lane: Lane, reconnect: str) -> None:
    with grpc_target(Target(converses_for=1)) as target, Client(lane, converse(target.url, reconnect)) as client:
        turns = client.say_all(["one"])
        while client.connector.ready:
            client.idle(0.01)
        turns += client.say_all(["two"])
    codes = [(t.code, t.text) for t in turns]
    if reconnect == "resume":
        assert codes == [(None, "one number 0"), (None, "two number 0")]
    else:
        assert codes == [(None, "one number 0"), ("connection_closed", "")]
        assert turns[1].error is not None and "grpc.reconnect" in turns[1].error.advice
        assert target.asked == ["one"]


@lanes
def test_a_target_that_went_away_between_turns_is_dialled_anew(lane: Lane) -> None:
    with grpc_target(Target()) as first, Client(lane, unary(first.url)) as client:
        assert client.say("one").code is None
    with grpc_target(Target()) as second, Client(lane, unary(second.url)) as client:
        assert client.say("one").code is None
        port = int(second.url.rpartition(":")[2])
    # The server is gone: its connection too, and nobody listens.
    with Client(lane, unary(second.url)) as client:
        turn = client.say("two")
    assert port and turn.code == "connect_refused"


# --- what is sent -----------------------------------------------------------------------------------------------


@lanes
def test_headers_are_metadata(lane: Lane) -> None:
    headers = {"X-Tenant": "t-{{ session.id }}", "trace-bin": "ab", "Host": "elsewhere"}
    with grpc_target(Target()) as target:
        spec = unary(target.url, request={"headers": headers}, secrets={"api_key": "k-1"})
        with Client(lane, spec) as client:
            assert client.say().code is None
    [found] = target.metadata
    assert (found["x-tenant"], found["trace-bin"], found["authorization"]) == ("t-s", b"ab", "Bearer k-1")
    assert str(found["user-agent"]).startswith("token-burn ")
    assert "host" not in found


@lanes
@pytest.mark.parametrize(
    ("request_", "what"),
    [
        ({"body": {"nonsense": 1}}, 'no field named "nonsense"'),
        ({"body": {"message": ["not", "text"]}}, "message"),
        ({"headers": {"x-name": "gr\u00fc\u00df"}}, "x-name"),
    ],
)
def test_a_request_that_fits_no_message_is_not_sent(lane: Lane, request_: dict[str, Any], what: str) -> None:
    with grpc_target(Target()) as target, Client(lane, unary(target.url, request=request_)) as client:
        turn = client.say()
    assert turn.code == "request_invalid"
    assert turn.error is not None and what in turn.error.detail
    assert turn.timeline.sent_ns is None
    assert target.asked == []


@lanes
def test_64_bit_numbers_come_as_numbers(lane: Lane) -> None:
    def stamped(text: str, number: int) -> Iterator[dict[str, Any]]:
        yield {"delta": text, "t": 1 << 60}
        yield {"done": True}

    with (
        grpc_target(Target(stamped)) as target,
        Client(lane, make_spec("grpc", target.url, response={"stamp": "t"})) as client,
    ):
        turn = client.say()
    assert (turn.code, len(turn.timeline.arrival_errors)) == (None, 1)


# --- finding the method -----------------------------------------------------------------------------------------

Reflect = Any


def reflecting(package: str, answers: dict[str, list[bytes]]) -> Reflect:
    """A reflection service: files by the symbol or the file name that is asked for; other names are not found."""

    def info(requests: Iterator[Any], _context: Any) -> Iterator[Any]:
        for request in requests:
            response = talk.ServerReflectionResponse()
            if request.HasField("list_services"):
                response.list_services_response.service.add(name="tokenburn.mock.v1.Chat")
            elif (files := answers.get(request.file_containing_symbol or request.file_by_filename)) is not None:
                response.file_descriptor_response.file_descriptor_proto.extend(files)
            else:
                response.error_response.error_code = 5
            yield response

    handler = grpc.stream_stream_rpc_method_handler(
        info, talk.ServerReflectionRequest.FromString, talk.ServerReflectionResponse.SerializeToString
    )
    service = grpc.method_handlers_generic_handler(package, {"ServerReflectionInfo": handler})
    return lambda server: server.add_generic_rpc_handlers((service,))


V1, V1ALPHA = "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"
FILES = compile_proto(PROTO)
OURS = FILES["target.proto"]
SERVICE = "tokenburn.mock.v1.Chat"


def reflected(url: str, method: str = f"{SERVICE}/Ask") -> TargetSpec:
    overrides = {"timeouts": TIMEOUTS, "limits": LIMITS, "grpc": {"method": method}}
    return build_target_spec(name="test", url=url, preset="generic-grpc", overrides=overrides)


@lanes
@pytest.mark.parametrize("package", [V1, V1ALPHA])
def test_a_method_is_found_by_reflection_once_for_all_connectors(lane: Lane, package: str) -> None:
    asked: list[int] = []

    def counted(server: grpc.Server) -> None:
        asked.append(1)
        reflecting(package, {SERVICE: [OURS]})(server)

    with grpc_target(Target(), reflect=counted) as target, Client(lane, reflected(target.url)) as client:
        assert client.say("one").text == "one number 0"
        method = known_methods[client.target]
        other = type(client.connector)(client.target)
        assert known_methods[other.target] is method


@lanes
@pytest.mark.parametrize(
    ("files", "method", "code", "what"),
    [
        ({}, f"{SERVICE}/Ask", "request_invalid", "but tokenburn.mock.v1.Chat"),
        ({SERVICE: [OURS]}, f"{SERVICE}/Tell", "request_invalid", "Ask, AskStream, Converse"),
        ({SERVICE: [b"\xff\xff"]}, f"{SERVICE}/Ask", "grpc_malformed", "reflection"),
        ({SERVICE: [b"\x0a\x01a\x1a\x01b"]}, f"{SERVICE}/Ask", "grpc_malformed", "'b'"),
        ({SERVICE: [b"\x0a\x01a\x1a\x01b"], "b": [b"\x0a\x01b\x1a\x01a"]}, f"{SERVICE}/Ask", "request_invalid", ""),
        ({SERVICE: [b"\x0a\x03%03d" % n for n in range(300)]}, f"{SERVICE}/Ask", "body_too_large", "256 files"),
    ],
    ids=["no such service", "no such method", "not a descriptor", "half of it", "a circle", "endless"],
)
def test_what_reflection_may_say_wrong(lane: Lane, files: Any, method: str, code: str, what: str) -> None:
    with (
        grpc_target(Target(), reflect=reflecting(V1ALPHA, files)) as target,
        Client(lane, reflected(target.url, method)) as client,
    ):
        turn = client.say()
    assert turn.code == code, turn.error
    assert what in str(turn.error)
    assert target.asked == []


@lanes
def test_a_target_without_reflection_says_what_to_do(lane: Lane) -> None:
    with grpc_target(Target()) as target, Client(lane, reflected(target.url)) as client:
        turn = client.say()
    assert turn.code == "grpc_unimplemented"
    assert turn.error is not None and "grpc.proto" in turn.error.advice


@lanes
def test_reflection_that_never_answers_is_a_connection_that_was_not_made_in_time(lane: Lane) -> None:
    def silent(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        over = threading.Event()
        context.add_callback(over.set)
        over.wait(5)
        yield from ()

    handler: Any = grpc.stream_stream_rpc_method_handler(silent)
    service = grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": handler})
    with (
        grpc_target(Target(), reflect=lambda server: server.add_generic_rpc_handlers((service,))) as target,
        Client(lane, reflected(target.url)) as client,
    ):
        turn = client.say()
    assert turn.code == "connect_timeout"
    assert turn.late_s < TIMEOUTS["connect"] + 1


# --- TLS and the way there --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def pem(cert: Any, folder: Path) -> dict[str, str]:
    """A leaf's certificate and key as files of a TlsSpec."""
    chain, key = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in cert.cert_chain_pems))
    cert.private_key_pem.write_to_path(str(key))
    return {"cert_file": str(chain), "key_file": str(key)}


def served(authority: trustme.CA, name: str, *, ask: bool = False) -> grpc.ServerCredentials:
    cert = authority.issue_cert(name)
    pair = (cert.private_key_pem.bytes(), b"".join(blob.bytes() for blob in cert.cert_chain_pems))
    return grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), require_client_auth=ask)


@lanes
@pytest.mark.parametrize("shown", [True, False], ids=["with our certificate", "without"])
def test_a_target_may_ask_for_our_certificate(lane: Lane, shown: bool, authority: trustme.CA, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    tls = {"ca_file": str(tmp_path / "ca.pem")} | (pem(authority.issue_cert("us"), tmp_path) if shown else {})
    with (
        grpc_target(Target(), served(authority, "127.0.0.1", ask=True)) as target,
        Client(lane, unary(target.url, tls=tls)) as client,
    ):
        turn = client.say("one")
    if shown:
        assert said([turn]) == [(None, "one number 0")]
    else:
        assert turn.code in {"tls_failed", "connection_closed", "connection_reset"}, turn.error
        assert target.asked == []


@lanes
@pytest.mark.parametrize("flaw", ["another name", "unknown authority", "no TLS there", "no such file"])
def test_what_else_can_be_wrong_with_tls(lane: Lane, flaw: str, authority: trustme.CA, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    tls = {"ca_file": str(tmp_path / ("none.pem" if flaw == "no such file" else "ca.pem"))}
    trusted = trustme.CA() if flaw == "unknown authority" else authority
    name = "elsewhere.example" if flaw == "another name" else "127.0.0.1"
    with grpc_target(Target(), None if flaw == "no TLS there" else served(trusted, name)) as target:
        url = target.url.replace("grpc:", "grpcs:")
        with Client(lane, unary(url, tls=tls)) as client:
            turn = client.say()
    assert turn.code == "tls_failed", turn.error
    assert turn.error is not None and "tls.ca_file" in str(turn.error) + turn.error.advice
    assert target.asked == []


@lanes
def test_a_private_address_is_refused_and_no_proxy_is_asked(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy, grpc_target(Target()) as target:
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with Client(lane, unary(target.url)) as client:
            assert client.say().code is None
        with Client(lane, unary(target.url), allow_private=False) as client:
            assert client.say().code == "address_blocked"
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert len(target.asked) == 1


@lanes
def test_a_port_where_nobody_listens_refuses(lane: Lane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Client(lane, unary(f"grpc://127.0.0.1:{port}")) as client:
        turn = client.say()
    assert turn.code == "connect_refused"
    assert words("", 0) is not None
