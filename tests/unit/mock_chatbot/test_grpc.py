"""The gRPC face, driven by grpcio's blocking client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from mock_chatbot.__main__ import parse_arguments
from mock_chatbot.grpc.chat_pb2 import AskPiece, AskReply, AskRequest, Turn
from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client
from tests.unit.mock_chatbot.faces.test_websocket import settle

SERVICE = "tokenburn.mock.v1.Chat"


class Stub:
    """The three calls with options as metadata."""

    def __init__(self, channel: grpc.Channel) -> None:
        send = AskRequest.SerializeToString
        place = f"/{SERVICE}/"
        self._ask = channel.unary_unary(f"{place}Ask", send, AskReply.FromString)
        self._stream = channel.unary_stream(f"{place}AskStream", send, AskPiece.FromString)
        self._converse = channel.stream_stream(f"{place}Converse", send, AskPiece.FromString)

    def ask(self, request: AskRequest, **mock: object) -> AskReply:
        reply: AskReply = self._ask(request, timeout=10, metadata=metadata(mock))
        return reply

    def stream(self, request: AskRequest, **mock: object) -> Any:
        return self._stream(request, timeout=10, metadata=metadata(mock))

    def converse(self, requests: Iterator[AskRequest], **mock: object) -> Any:
        return self._converse(requests, timeout=10, metadata=metadata(mock))


def metadata(mock: dict[str, object]) -> tuple[tuple[str, str | bytes], ...]:
    key = mock.pop("key", None)
    options = ((f"x-mock-{name.replace('_', '-')}", str(value)) for name, value in mock.items())
    return (*options, ("authorization", f"Bearer {key}")) if key else tuple(options)


@pytest.fixture
def channel(running: Mock) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{running.ready['grpc_port']}") as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel, client: Client) -> Stub:
    return Stub(channel)


def test_all_three_calls_say_what_http_says(stub: Stub, client: Client) -> None:
    history = [{"role": "user", "content": "zero"}]
    plain = [client.post("/chat", {"message": "one", "history": history}).json() for _ in range(3)]
    client.reset()
    request = AskRequest(message="one", session="s", history=[Turn(role="user", content="zero")])
    reply = stub.ask(request)
    streamed, conversed = list(stub.stream(request)), list(stub.converse(iter([request])))
    assert [reply.response, streamed[-1].response, conversed[-1].response] == [each["response"] for each in plain]
    for pieces in (streamed, conversed):
        assert "".join(piece.delta for piece in pieces) == pieces[-1].response and len(pieces) == 9
        assert [piece.done for piece in pieces] == [False] * 8 + [True]
        assert (pieces[-1].usage.input_tokens, pieces[-1].usage.output_tokens) == (2, 8)
    counted = settle(client)
    assert (counted["requests"], counted["chat_requests"], counted["answers"], counted["sessions"]) == (3, 3, 3, 1)
    assert (counted["chunks"], counted["events"], counted["output_tokens"]) == (16, 18, 24)
    assert counted["by_status"] == {"200": 3}


def test_a_conversation_of_turns_on_one_call(stub: Stub, client: Client) -> None:
    questions: SimpleQueue[AskRequest | None] = SimpleQueue()
    pieces = stub.converse(iter(questions.get, None), behaviour="echo")
    for number in range(3):
        questions.put(AskRequest(message=f"question {number}"))
        turn = [next(pieces) for _ in range(3)]
        assert turn[-1].done and turn[-1].response == f"question {number}"
    assert client.stats()["open_sessions"] == 1
    questions.put(None)
    assert list(pieces) == []
    assert settle(client)["answers"] == 3


def test_stamps_rise_and_lie_between_question_and_arrival(stub: Stub) -> None:
    begun = time.monotonic_ns()
    pieces = list(stub.stream(AskRequest(message="x"), itl_ms=2, tokens=20, delay_ms=30))
    stamps = [piece.t for piece in pieces]
    assert begun + 30e6 <= stamps[0] and stamps == sorted(stamps) and stamps[-1] <= time.monotonic_ns()
    assert all(stamp >= begun + 30e6 + index * 2e6 for index, stamp in enumerate(stamps[:20])), "never early"
    assert stub.ask(AskRequest(message="x")).t > stamps[-1]
    assert {piece.t for piece in stub.stream(AskRequest(message="x"), stamp="")} == {0}


CODES = [
    (500, grpc.StatusCode.INTERNAL),
    (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (502, grpc.StatusCode.UNAVAILABLE),
    (503, grpc.StatusCode.UNAVAILABLE),
    (504, grpc.StatusCode.DEADLINE_EXCEEDED),
]


@pytest.mark.parametrize(("status", "code"), CODES)
def test_errors_are_status_codes(stub: Stub, client: Client, status: int, code: grpc.StatusCode) -> None:
    request = AskRequest(message="x")
    for call in (stub.ask, lambda *args, **more: list(stub.stream(*args, **more))):
        with pytest.raises(grpc.RpcError) as caught:
            call(request, error_rate=1, errors=status)
        assert caught.value.code() is code and caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.converse(iter([request]), error_rate=1, errors=status))
    assert caught.value.code() is code
    counted = settle(client)
    assert (counted["chat_requests"], counted["errors"], counted["by_status"]) == (3, 3, {str(status): 3})


def test_seeds_repeat(stub: Stub, client: Client) -> None:
    def ten() -> list[str]:
        said = []
        for _ in range(10):
            try:
                said.append(stub.ask(AskRequest(message="x"), error_rate=0.4, seed=5).response)
            except grpc.RpcError as exc:
                said.append(str(exc.code()))
        return said

    first = ten()
    client.reset()
    assert ten() == first and 0 < sum(said.startswith("StatusCode") for said in first) < 10


def test_metadata_of_no_use_is_an_invalid_argument(stub: Stub, client: Client) -> None:
    for call in (stub.ask, lambda *args, **more: list(stub.stream(*args, **more))):
        with pytest.raises(grpc.RpcError) as caught:
            call(AskRequest(message="x"), delay_ms="soon")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "x-mock-delay-ms: must be" in str(caught.value.details())
    assert settle(client)["by_status"] == {"400": 2}


def test_who_leaves_during_an_answer_is_counted_as_aborted(stub: Stub, client: Client) -> None:
    pieces = stub.stream(AskRequest(message="x"), itl_ms=5, tokens=1000)
    next(pieces)
    pieces.cancel()
    counted = settle(client)
    assert (counted["chat_requests"], counted["aborted"], counted["errors"]) == (1, 1, 0) and counted["chunks"] < 1000


def test_counts_are_exact_under_concurrency(stub: Stub, client: Client) -> None:
    def burst(number: int) -> int:
        return sum(len(list(stub.stream(AskRequest(message=f"{number} {turn}")))) for turn in range(5))

    with ThreadPoolExecutor(8) as pool:
        pieces = sum(pool.map(burst, range(8)))
    counted = settle(client)
    assert (counted["answers"], counted["events"], counted["output_tokens"]) == (40, 360, 320) and pieces == 360


def test_reflection_tells_the_service_and_health_says_it_serves(channel: grpc.Channel, client: Client) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICE in database.get_services()
    service = DescriptorPool(database).FindServiceByName(SERVICE)
    assert {method.name: method.input_type.name for method in service.methods} == dict.fromkeys(
        ("Ask", "AskStream", "Converse"), "AskRequest"
    )
    asked = health_pb2.HealthCheckRequest(service=SERVICE)
    checked = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=10)
    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    assert settle(client)["requests"] == 0, "neither is a request"


def test_an_unknown_call_is_unimplemented(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/Shout", AskRequest.SerializeToString)(AskRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_key_is_asked_for(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--api-key", "Secret", "--error-rate", "0", "--delay-ms", "0")
    with grpc.insecure_channel(mock.ready["grpc_url"].removeprefix("grpc://")) as channel:
        stub = Stub(channel)
        for wrong in ({}, {"key": "secret"}):
            with pytest.raises(grpc.RpcError) as caught:
                stub.ask(AskRequest(message="x"), **wrong)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert stub.ask(AskRequest(message="x"), key="Secret").response
    counted = mock.stats()
    assert (counted["chat_requests"], counted["answers"], counted["errors"]) == (3, 1, 2)


def test_it_can_be_left_out(start_mock: Callable[..., Mock]) -> None:
    assert set(start_mock("--grpc-port", "-1").ready) == {"url", "port"}
    with pytest.raises(SystemExit):
        parse_arguments(["--grpc-port", "-2"])
