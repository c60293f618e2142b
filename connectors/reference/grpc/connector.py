"""The reference lane's connector for gRPC, on `grpcio`'s synchronous client."""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import TimedOut, TurnError
from connectors.grpc.channel import credentials, metadata, options, target_of
from connectors.grpc.library import grpc
from connectors.grpc.methods import DESCRIPTORS, Files, Method, keep_method, known_methods, split_name
from connectors.grpc.proto import proto_files
from connectors.grpc.reflection import PATHS, ask, no_answer, reflection_failure
from connectors.grpc.status import check_lasting, connect_failure, keeps_connection, lost_between_turns
from connectors.mapping.request import RenderedRequest
from connectors.reference.base import ReferenceConnector
from connectors.reference.grpc.call import ReferenceCall
from connectors.security import guard
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

CLOSE_GRACE_S: Final = 0.2
READY: Final = grpc.ChannelConnectivity.READY
FAILED: Final = grpc.ChannelConnectivity.TRANSIENT_FAILURE


class WatchedChannel:
    """A channel and its last state, as reported by its own thread."""

    def __init__(self, target: CompiledTarget, address: guard.Address) -> None:
        given = options(target)
        if target.tls:
            self.channel = grpc.secure_channel(target_of(address), credentials(target.spec.tls), given)
        else:
            self.channel = grpc.insecure_channel(target_of(address), given)
        self._states: queue.SimpleQueue[grpc.ChannelConnectivity] = queue.SimpleQueue()
        self.state: grpc.ChannelConnectivity | None = None
        self.channel.subscribe(self._changed, try_to_connect=True)

    def _changed(self, state: grpc.ChannelConnectivity) -> None:
        self.state = state
        self._states.put(state)

    def settle(self, due_s: float) -> None:
        """Return when the connection is open or has failed. Raises TimeoutError at `due_s` (monotonic)."""
        while True:
            try:
                state = self._states.get(timeout=max(due_s - time.monotonic(), 0.001))
            except queue.Empty:
                raise TimeoutError from None
            if state in {READY, FAILED}:
                return

    def close(self) -> None:
        """The library's own thread must leave the channel first, which takes a fifth of a second; it would crash
        noisily in a closed one."""
        self.channel.unsubscribe(self._changed)
        due_s = time.monotonic() + CLOSE_GRACE_S * 2
        polled = getattr(self.channel, "_connectivity_state", None)  # nothing public says it
        while getattr(polled, "polling", False) and time.monotonic() < due_s:
            time.sleep(0.005)
        self.channel.close()


class GrpcConnector(ReferenceConnector):
    """As the load lane's. Blocks; use one connector in one thread at a time."""

    opens_secrets = True

    _channel: WatchedChannel | None = None
    _method: Method | None = None
    _call: ReferenceCall | None = None

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
        return self._channel.state is READY and (self._call is None or not self._call.over)

    def begin(self, session: Mapping[str, Any]) -> None:
        super().begin(session)
        self._leave_call()

    def connect(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.over and self.target.spec.grpc.reconnect == "fail":
            raise lost_between_turns(call.failure)
        self.do_handshake()
        if self._channel is None or self._channel.state is not READY:
            self._drop_channel()
            self._channel = self._dial()
        self._method = self._find_method(self._channel.channel)
        check_lasting(self.target.spec, persistent=self._method.persistent)
        self.expect_greeting()
        if self.dialogue is not None:
            self._be_greeted(self._channel.channel, self._method)

    def _be_greeted(self, channel: Any, method: Method) -> None:
        request = self.target.render_connection({"session": self.session, "saved": self.saved})
        call = self._call = ReferenceCall(
            self.target, channel, method, metadata(self.target.endpoint.released(request).headers), self
        )
        try:
            self.wait_for_greeting(call.open())
        except BaseException:
            self._call = None
            call.cancel()
            raise

    def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        channel, method = self._channel, self._method
        if channel is None or method is None:
            raise RuntimeError("send_message before connect")
        timeline.handshake_ns, self.handshake_ns = self.handshake_ns, None
        request = self.target.endpoint.released(request)
        data, pairs = method.encode(request.body), metadata(request.headers)
        call = self._call
        if call is None:
            call = self._call = ReferenceCall(self.target, channel.channel, method, pairs, self)
        try:
            call.exchange(timeline, data)
            if not method.persistent:
                self._call = None
                call.end()
        except TurnError as exc:
            self._call = None
            call.cancel()
            if not keeps_connection(exc):
                self._drop_channel()
            raise

    def disconnect(self) -> None:
        self._leave_call()
        self._drop_channel()

    def _leave_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.leave(CLOSE_GRACE_S)

    def _drop_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    # --- connecting -----------------------------------------------------------------------------------------------

    def _dial(self) -> WatchedChannel:
        """A new connection, its steps' times noted. Raises TurnError."""
        target = self.target
        limit_s = target.spec.timeouts.connect
        began_ns = time.monotonic_ns()
        addresses = guard.resolve(target.host, target.port, self.allow_private, limit_s)
        resolved_ns = time.monotonic_ns()
        self.add_step("resolve", resolved_ns - began_ns)
        try:
            channel = self._first_that_answers(addresses, began_ns / 1e9 + limit_s)
        except TimeoutError as exc:
            raise TimedOut("connect_timeout", f"no connection to {target.host} within {limit_s:g} s") from exc
        self.add_step("connect", time.monotonic_ns() - resolved_ns)
        return channel

    def _first_that_answers(self, addresses: list[guard.Address], due_s: float) -> WatchedChannel:
        failure: TurnError | None = None
        for address in addresses:
            channel = WatchedChannel(self.target, address)
            try:
                channel.settle(due_s)
                if channel.state is READY:
                    return channel
                failure = _why(channel.channel)
            except BaseException:
                channel.close()
                raise
            channel.close()
        raise failure or connect_failure("no address")

    # --- the method -----------------------------------------------------------------------------------------------

    def _find_method(self, channel: Any) -> Method:
        if (found := known_methods.get(self.target.original)) is not None:
            return found
        began_ns = time.monotonic_ns()
        proto = self.target.spec.grpc.proto
        found = keep_method(self.target.original, proto_files(proto) if proto is not None else self._reflect(channel))
        self.add_step(DESCRIPTORS, time.monotonic_ns() - began_ns)
        return found

    def _reflect(self, channel: Any) -> Files:
        """Ask the server for its descriptors, in the connection's own time. Raises TurnError."""
        spec = self.target.spec
        request = self.target.render_connection({"session": self.session, "saved": self.saved})
        pairs, service = metadata(self.target.endpoint.released(request).headers), split_name(spec.grpc.method)[0]
        failure: TurnError = no_answer()
        for path in PATHS:
            due_s = time.monotonic() + spec.timeouts.connect
            questions: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
            asked = iter(questions.get, None)
            call: Any = channel.stream_stream(path)(asked, timeout=spec.timeouts.connect, metadata=pairs)
            try:
                return _talk(call, questions, service)
            except grpc.RpcError as exc:
                status: Any = exc  # the raised exception is the call, and has its status
                due = time.monotonic() >= due_s
                failure = reflection_failure(status.code().name, status.details() or "", spec, due=due)
                if status.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    break
            finally:
                questions.put(None)
                call.cancel()
        raise failure


def _talk(call: Any, questions: queue.SimpleQueue[bytes | None], service: str) -> Files:
    """Raises TurnError or RpcError."""
    talk = ask(service)
    try:
        questions.put(next(talk))
        for answer in call:
            questions.put(talk.send(answer))
    except StopIteration as done:
        files: Files = done.value
        return files
    raise no_answer()


def _why(channel: Any) -> TurnError:
    """Why there is no connection: a call reports it and is not sent, because nothing reconnects."""
    try:
        channel.unary_unary("/-/-")(b"")
    except grpc.RpcError as exc:
        status: Any = exc  # the raised exception is the call, and has its status
        return connect_failure(status.details() or "")
    return connect_failure("")
