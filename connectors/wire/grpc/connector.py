"""The load lane's connector for gRPC, on `grpc.aio`: one channel, and so one connection, for each user.

The bytes are the library's: its core reads them on threads of its own and hands over whole messages, whose arrival is
stamped when they reach the event loop. A channel costs about half a millisecond of CPU, 30 KB and one descriptor, and
no thread (grpcio 1.85; `python -m tests.bench.grpc` measures it). Sizes are those of messages, without their frames.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

from connectors.errors import BadRequest, ConnectFailed, TimedOut, TurnError
from connectors.grpc.channel import credentials, metadata, options, target_of
from connectors.grpc.library import grpc
from connectors.grpc.methods import DESCRIPTORS, Files, Method, keep_method, known_methods, split_name
from connectors.grpc.proto import proto_files
from connectors.grpc.reflection import PATHS, ask, no_answer, reflection_failure
from connectors.grpc.status import check_lasting, connect_failure, keeps_connection, lost_between_turns
from connectors.mapping.request import RenderedRequest
from connectors.security import guard
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.wire.base import WireConnector
from connectors.wire.grpc.call import WireCall, write
from connectors.wire.transport.addresses import ROTA
from connectors.wire.transport.dialling import dialling

CLOSE_GRACE_S: Final = 0.2
"""How long a stream may take to end after our last message; then it is cancelled."""
READY: Final = grpc.ChannelConnectivity.READY
FAILED: Final = grpc.ChannelConnectivity.TRANSIENT_FAILURE

_searches: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def _searching() -> asyncio.Lock:
    """Lock for the lookup of a method, so that it is done only once."""
    loop = asyncio.get_running_loop()
    if (found := _searches.get(loop)) is None:
        found = _searches[loop] = asyncio.Lock()
    return found


class GrpcConnector(WireConnector):
    """A unary or a server-streaming call is made for each turn; a bidirectional one stays open for a conversation."""

    user_stamps = True
    opens_secrets = True

    _channel: grpc.aio.Channel | None = None
    _method: Method | None = None
    _pairs: tuple[tuple[str, str | bytes], ...] = ()
    _pairs_of: tuple[tuple[str, str], ...] | None = None
    """The headers that `_pairs` were made of."""
    _call: WireCall | None = None

    @classmethod
    def prepare(cls, target: CompiledTarget) -> None:
        super().prepare(target)
        if target.tls:
            with suppress(ConnectFailed):  # each turn says it
                credentials(target.spec.tls)
        if (proto := target.spec.grpc.proto) is not None and target.original not in known_methods:
            with suppress(BadRequest):  # likewise
                keep_method(target.original, proto_files(proto))

    def is_current(self, call: object) -> bool:
        return self._call is call

    @property
    def lasting(self) -> bool:
        return self._method is not None and self._method.persistent

    @property
    def ready(self) -> bool:
        if self._channel is None or self._method is None or not self.fresh:
            return False
        if self._call is None and self.target.spec.greeting is not None:
            return False  # each conversation has its own stream and greeting
        return self._channel.get_state() is READY and (self._call is None or not self._call.over)

    def begin(self, session: Mapping[str, Any]) -> None:
        super().begin(session)
        call, self._call = self._call, None
        if call is not None:
            call.leave(CLOSE_GRACE_S)  # the old conversation has ended: close its stream

    async def connect(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.over and self.target.spec.grpc.reconnect == "fail":
            raise lost_between_turns(call.failure)
        await self.do_handshake()
        if self._channel is None or self._channel.get_state() is not READY:
            await self._drop_channel()
            self._channel = await self._dial()
        self._method = await self._find_method(self._channel)
        check_lasting(self.target.spec, persistent=self._method.persistent)
        self.expect_greeting()
        if self.dialogue is not None:
            await self._be_greeted(self._channel, self._method)

    async def _be_greeted(self, channel: grpc.aio.Channel, method: Method) -> None:
        request = self.target.render_connection({"session": self.session, "saved": self.saved})
        pairs = metadata(self.target.endpoint.released(request).headers)
        call = self._call = WireCall(self.target, channel, method, pairs, self)
        call.open()
        try:
            await self.wait_for_greeting()
        except BaseException:
            self._call = None
            call.cancel()
            raise

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        channel, method = self._channel, self._method
        if channel is None or method is None:
            raise RuntimeError("send_message before connect")
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        body, endpoint = request.body, self.target.endpoint
        if request.headers is not self._pairs_of:
            self._pairs, self._pairs_of = metadata(endpoint.released(request).headers), request.headers
        if self.marker is not None and self.marker in body:
            body = endpoint.release(body)
        pairs, data = self._pairs, method.encode(body)
        call = self._call
        if call is None:
            call = self._call = WireCall(self.target, channel, method, pairs, self)
        try:
            await call.exchange(timeline, data)
            if not method.persistent:
                self._call = None
                await call.end()
        except TurnError as exc:
            self._call = None
            call.cancel()
            if not keeps_connection(exc):
                await self._drop_channel()
            raise

    async def disconnect(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            await call.left(CLOSE_GRACE_S)
        await self._drop_channel()

    async def _drop_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    # --- connecting -----------------------------------------------------------------------------------------------

    async def _dial(self) -> grpc.aio.Channel:
        """A new connection, its steps' times noted; `connect` has TLS and HTTP/2's settings in it, which the library
        does not tell apart. Raises TurnError."""
        target = self.target
        limit_s = target.spec.timeouts.connect
        async with dialling():
            try:
                async with asyncio.timeout(limit_s):
                    began_ns = time.monotonic_ns()
                    addresses = await guard.resolve_async(target.host, target.port, self.allow_private)
                    resolved_ns = time.monotonic_ns()
                    self.add_step("resolve", resolved_ns - began_ns)
                    channel = await self._first_that_answers(addresses)
            except TimeoutError as exc:
                raise TimedOut("connect_timeout", f"no connection to {target.host} within {limit_s:g} s") from exc
        self.add_step("connect", time.monotonic_ns() - resolved_ns)
        return channel

    async def _first_that_answers(self, addresses: list[guard.Address]) -> grpc.aio.Channel:
        failure: TurnError | None = None
        for address in ROTA.order(addresses):
            channel = self._channel_to(address)
            try:
                if await _settled(channel) is READY:
                    ROTA.answered(address)
                    return channel
                ROTA.failed(address)
                failure = await _why(channel)
            except BaseException:
                await channel.close()
                raise
            await channel.close()
        raise failure or connect_failure("no address")

    def _channel_to(self, address: guard.Address) -> grpc.aio.Channel:
        target, given = target_of(address), options(self.target)
        if self.target.tls:
            return grpc.aio.secure_channel(target, credentials(self.target.spec.tls), given)
        return grpc.aio.insecure_channel(target, given)

    # --- the method -----------------------------------------------------------------------------------------------

    async def _find_method(self, channel: grpc.aio.Channel) -> Method:
        if (found := known_methods.get(self.target.original)) is not None:
            return found
        began_ns = time.monotonic_ns()
        async with _searching():
            if (found := known_methods.get(self.target.original)) is None:
                if (proto := self.target.spec.grpc.proto) is not None:
                    files = await asyncio.get_running_loop().run_in_executor(None, proto_files, proto)
                else:
                    files = await self._reflect(channel)
                found = keep_method(self.target.original, files)
        self.add_step(DESCRIPTORS, time.monotonic_ns() - began_ns)
        return found

    async def _reflect(self, channel: grpc.aio.Channel) -> Files:
        """Ask the server for its descriptors, in the connection's own time. Raises TurnError."""
        spec = self.target.spec
        request = self.target.render_connection({"session": self.session, "saved": self.saved})
        pairs, service = metadata(self.target.endpoint.released(request).headers), split_name(spec.grpc.method)[0]
        failure: TurnError = no_answer()
        for path in PATHS:
            due_s = time.monotonic() + spec.timeouts.connect
            try:
                return await self._talk(
                    channel.stream_stream(path)(timeout=spec.timeouts.connect, metadata=pairs), service
                )
            except grpc.aio.AioRpcError as exc:
                due = time.monotonic() >= due_s
                failure = reflection_failure(exc.code().name, exc.details() or "", spec, due=due)
                if exc.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    break
        raise failure

    async def _talk(self, call: Any, service: str) -> Files:
        """Raises TurnError or AioRpcError."""
        talk = ask(service)
        try:
            question = next(talk)
            while True:
                await write(call, question)
                answer = await call.read()
                if answer is grpc.aio.EOF:
                    raise no_answer()
                question = talk.send(answer)
        except StopIteration as done:
            files: Files = done.value
            return files
        finally:
            call.cancel()


async def _settled(channel: grpc.aio.Channel) -> grpc.ChannelConnectivity:
    """Connect; return when the connection is open or has failed. If cancelled, it closes the channel."""
    state = channel.get_state(try_to_connect=True)
    while state not in {READY, FAILED}:
        # A task, because the library goes on watching when its caller is cancelled, until the channel is closed; what
        # it then tells must not come after the loop's end.
        watch = asyncio.ensure_future(channel.wait_for_state_change(state))
        try:
            await asyncio.wait([watch])
        except asyncio.CancelledError:
            await channel.close()
            await asyncio.wait([watch], timeout=CLOSE_GRACE_S)
            raise
        watch.result()
        state = channel.get_state()
    return state


async def _why(channel: Any) -> TurnError:
    """Why there is no connection: a call reports it and is not sent, because nothing reconnects."""
    try:
        await channel.unary_unary("/-/-")(b"")
    except grpc.aio.AioRpcError as exc:
        return connect_failure(exc.details() or "")
    return connect_failure("")
