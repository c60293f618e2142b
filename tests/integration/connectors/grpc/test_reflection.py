"""Server reflection on both lanes, against a service that a test can make say anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2 as talk

from connectors.grpc.methods import known_methods
from connectors.grpc.proto import compile_proto
from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from tests.hostile.grpc import PROTO
from tests.integration.connectors.lanes import LANES, LIMITS, ROOMY, TIMEOUTS, Client
from tests.support.servers.grpc_target import Target, grpc_target

lanes = pytest.mark.parametrize("lane", LANES)

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


def reflected(url: str, method: str = f"{SERVICE}/Ask", timeouts: dict[str, float] = ROOMY) -> TargetSpec:
    overrides = {"timeouts": timeouts, "limits": LIMITS, "grpc": {"method": method}}
    return build_target_spec(name="test", url=url, preset="generic-grpc", overrides=overrides)


@lanes
@pytest.mark.parametrize("package", [V1, V1ALPHA])
def test_a_method_is_found_by_reflection_once_for_all_connectors(lane: Lane, package: str) -> None:
    asked: list[int] = []

    def counted(server: grpc.Server) -> None:
        asked.append(1)
        reflecting(package, {SERVICE: [OURS]})(server)

    with grpc_target(Target(), reflect=counted) as target, Client(lane, reflected(target.url)) as client:
        turn = client.say("one")
        assert turn.text == "one number 0"
        assert set(turn.timeline.handshake_ns or {}) == {"resolve", "connect", "descriptors"}, "what it waited for"
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
        Client(lane, reflected(target.url, timeouts=TIMEOUTS)) as client,
    ):
        turn = client.say()
    assert turn.code == "connect_timeout"
    assert turn.late_s < TIMEOUTS["connect"] + 10
