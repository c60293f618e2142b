"""The service of chat.proto on grpc.aio, with server reflection and the health service.

It runs on the loop of the HTTP server and shares its chatbot: one set of dice, one set of counts. A stamp is taken
before the library serialises the message and hands it to its own thread; the bytes leave a little later.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from mock_chatbot.core.chatbot import Chatbot, Headers, conversation_in
from mock_chatbot.core.errors import UNAUTHORIZED, Failure, InvalidOption
from mock_chatbot.core.reply import Ask, Reply
from mock_chatbot.core.turns import Turn, Voice
from mock_chatbot.faces.auth import admits
from mock_chatbot.grpc import chat_pb2
from mock_chatbot.grpc.chat_pb2 import AskPiece, AskReply, AskRequest, Usage

SERVICE = chat_pb2.DESCRIPTOR.services_by_name["Chat"].full_name

CODES: dict[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class _Streamed(Voice):
    """Sends pieces, and a last message with the whole answer."""

    def __init__(self, context: ServicerContext[AskRequest, AskPiece], *, stamped: bool) -> None:
        self._context, self._stamped = context, stamped

    async def delta(self, token: str, index: int) -> None:
        await self._context.write(AskPiece(delta=token, t=_stamp(self._stamped)))

    async def whole(self, reply: Reply) -> None:
        text = "".join(reply.tokens)
        await self._context.write(AskPiece(done=True, response=text, usage=_usage(reply), t=_stamp(self._stamped)))

    async def failure(self, failure: Failure) -> None:
        await _abort(self._context, failure)


class _Unary(Voice):
    """One reply, which the call returns when the turn is over."""

    def __init__(self, context: ServicerContext[AskRequest, AskReply], *, stamped: bool) -> None:
        self._context, self._stamped = context, stamped
        self.answer = AskReply()

    async def delta(self, token: str, index: int) -> None:
        raise AssertionError("a unary call is not streamed")

    async def whole(self, reply: Reply) -> None:
        self.answer = AskReply(response="".join(reply.tokens), usage=_usage(reply), t=_stamp(self._stamped))

    async def failure(self, failure: Failure) -> None:
        await _abort(self._context, failure)


def _stamp(stamped: bool) -> int:
    """0, which is not sent, without a stamp."""
    return time.monotonic_ns() if stamped else 0


def _usage(reply: Reply) -> Usage:
    return Usage(input_tokens=reply.input_tokens, output_tokens=reply.output_tokens)


def _headers(context: ServicerContext[Any, Any]) -> list[tuple[bytes, bytes]]:
    found = context.invocation_metadata() or ()
    return [(name.encode(), text if isinstance(text, bytes) else text.encode()) for name, text in found]


async def _abort(context: ServicerContext[Any, Any], failure: Failure) -> NoReturn:
    await context.abort(CODES[failure.status], failure.message)


class ChatService:
    """The three calls. Options are `x-mock-*` metadata; a key is asked for in `authorization`, as over HTTP."""

    def __init__(self, chatbot: Chatbot, api_key: str) -> None:
        self._chatbot, self._key = chatbot, api_key

    def handler(self) -> grpc.GenericRpcHandler:
        wire = {"request_deserializer": AskRequest.FromString}
        reply, piece = AskReply.SerializeToString, AskPiece.SerializeToString
        calls = {
            "Ask": grpc.unary_unary_rpc_method_handler(self.ask, response_serializer=reply, **wire),
            "AskStream": grpc.unary_stream_rpc_method_handler(self.ask_stream, response_serializer=piece, **wire),
            "Converse": grpc.stream_stream_rpc_method_handler(self.converse, response_serializer=piece, **wire),
        }
        return grpc.method_handlers_generic_handler(SERVICE, calls)

    async def ask(self, request: AskRequest, context: ServicerContext[AskRequest, AskReply]) -> AskReply:
        headers = _headers(context)
        voice = _Unary(context, stamped=self._stamped(headers))
        await self._turn(request, voice, headers, streamed=False)
        return voice.answer

    async def ask_stream(self, request: AskRequest, context: ServicerContext[AskRequest, AskPiece]) -> None:
        headers = _headers(context)
        voice = _Streamed(context, stamped=self._stamped(headers))
        await self._turn(request, voice, headers, streamed=True)

    async def converse(
        self, requests: AsyncIterator[AskRequest], context: ServicerContext[AskRequest, AskPiece]
    ) -> None:
        """One turn after another; an early question waits. An error ends the call."""
        with self._chatbot.stats.session():
            headers = _headers(context)
            voice = _Streamed(context, stamped=self._stamped(headers))
            async for request in requests:
                await self._turn(request, voice, headers, streamed=True)

    async def _turn(self, request: AskRequest, voice: Voice, headers: Headers, *, streamed: bool) -> None:
        turn = Turn(self._chatbot, voice, headers)
        if not admits(headers, self._key):
            await turn.refuse(UNAUTHORIZED)
        before = tuple((said.role, said.content) for said in request.history)
        ask = Ask((*before, ("user", request.message)), streamed, conversation=conversation_in(headers))
        await turn.take(lambda: ask)

    def _stamped(self, headers: Headers) -> bool:
        try:
            return bool(self._chatbot.options.with_headers(headers).stamp)
        except InvalidOption:
            return False  # the turn reports it


async def start(chatbot: Chatbot, api_key: str, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """A running server, and its port (0 takes a free one). Raises RuntimeError if the port is not available."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_generic_rpc_handlers((ChatService(chatbot, api_key).handler(),))
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    await server.start()
    for name in (SERVICE, health.OVERALL_HEALTH):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server, bound
