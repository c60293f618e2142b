"""A gRPC chatbot in this process, on grpcio: `tests.hostile.grpc.PROTO` with what a test wants to be said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory

from connectors.grpc.proto import compile_proto
from tests.hostile.grpc import PROTO

Answer = Callable[[str, int], Iterator[dict[str, Any]]]
"""From a message and its number on its stream to the fields of the pieces that answer it."""


def _message_class(name: str) -> Any:
    pool = descriptor_pool.DescriptorPool()
    for data in compile_proto(PROTO).values():
        pool.AddSerializedFile(data)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tokenburn.mock.v1.{name}"))


ASK = _message_class("AskRequest")
PIECE = _message_class("AskPiece")


def words(text: str, number: int) -> Iterator[dict[str, Any]]:
    """Two pieces and the end."""
    yield {"delta": f"{text} "}
    yield {"delta": f"number {number}"}
    yield {"done": True, "usage": {"input_tokens": 1, "output_tokens": 2}}


class Target(grpc.GenericRpcHandler):
    """`asked` has every message, `metadata` what came with each call, `streams` how many bidirectional ones began.

    `converses_for`: turns after which such a stream is ended.
    """

    def __init__(self, answer: Answer = words, converses_for: int = 1_000) -> None:
        self._answer = answer
        self._converses_for = converses_for
        self.asked: list[str] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.deadlines: list[float | None] = []
        self.streams = 0
        self.streams_ended = 0
        self.url = ""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        encode, decode = PIECE.SerializeToString, ASK.FromString
        found = {
            "/tokenburn.mock.v1.Chat/Ask": (grpc.unary_unary_rpc_method_handler, self.ask),
            "/tokenburn.mock.v1.Chat/AskStream": (grpc.unary_stream_rpc_method_handler, self.ask_stream),
            "/tokenburn.mock.v1.Chat/Converse": (grpc.stream_stream_rpc_method_handler, self.converse),
        }.get(details.method or "")
        return None if found is None else found[0](found[1], decode, encode)

    def _note(self, context: grpc.ServicerContext) -> None:
        self.metadata.append(dict(context.invocation_metadata()))
        self.deadlines.append(context.time_remaining())

    def ask(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._note(context)
        self.asked.append(request.message)
        parts = list(self._answer(request.message, 0))
        return PIECE(response="".join(part.get("delta", "") for part in parts), usage=parts[-1].get("usage"))

    def ask_stream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self._note(context)
        self.asked.append(request.message)
        for part in self._answer(request.message, 0):
            yield PIECE(**part)

    def converse(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        self._note(context)
        self.streams += 1
        for number, request in enumerate(requests):
            self.asked.append(request.message)
            for part in self._answer(request.message, number):
                yield PIECE(**part)
            if number + 1 == self._converses_for:
                return
        self.streams_ended += 1


@contextmanager
def grpc_target(
    target: Target,
    credentials: grpc.ServerCredentials | None = None,
    reflect: Callable[[grpc.Server], None] = lambda _server: None,
) -> Iterator[Target]:
    """Serve it for as long as the block runs; `target.url` says where."""
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((target,))
    reflect(server)
    if credentials is None:
        target.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    else:
        target.url = f"grpcs://127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    server.start()
    try:
        yield target
    finally:
        server.stop(grace=None).wait(5)
