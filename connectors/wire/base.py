"""What every connector of the load lane does before a turn: shake hands over HTTP, and dial."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from connectors import guard
from connectors.cookies import Cookies
from connectors.errors import ConnectFailed, TurnError
from connectors.guard import Address
from connectors.mapping import CompiledTarget
from connectors.proxy import STEP, TunnelAnswer
from connectors.shaking import RUN_WAIT, ShakingConnector
from connectors.spec import TlsSpec
from connectors.wire.clock import ArrivalClock
from connectors.wire.stream import Stage, StampedStream, Tunnel, connect_timeout, open_stream

if TYPE_CHECKING:
    from connectors.shaking import Steps

DIALS_AT_ONCE: Final = 32
"""Connections being made at the same time: more would wait in our own loop, and look like a slow target."""
DIAL_S: Final = 0.05
"""A dial that takes longer waits for the target, and no longer counts as one of them: of a target that is far away, or
slow to shake hands, users would wait for each other, and send late."""

_dials: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
_shakes: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@cache
def tls_context(spec: TlsSpec) -> ssl.SSLContext:
    """One context for all connections of a target, on both lanes. Raises ConnectFailed if a file of it is unusable."""
    try:
        context = ssl.create_default_context(cafile=spec.ca_file)
    except OSError as exc:
        raise _unusable("ca_file", spec.ca_file, exc, "certificates") from exc
    if spec.cert_file is not None:
        try:
            context.load_cert_chain(spec.cert_file, spec.key_file)
        except OSError as exc:
            raise _unusable("cert_file", spec.cert_file, exc, "our certificate and its key") from exc
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(field: str, path: str | None, exc: OSError, what: str) -> ConnectFailed:
    advice = f"give the path of a file with {what} in PEM form, readable on this machine"
    return ConnectFailed("tls_failed", f"tls.{field} {path}: {exc.strerror or exc}", advice)


@cache
def arrival_clock() -> ArrivalClock:
    """The process's one clock of arrivals."""
    return ArrivalClock()


class _Dial:
    """One of `DIALS_AT_ONCE`, for `DIAL_S` at most."""

    _timer: asyncio.TimerHandle | None = None

    def __init__(self, dials: asyncio.Semaphore) -> None:
        self._dials = dials

    async def __aenter__(self) -> None:
        await self._dials.acquire()
        self._timer = asyncio.get_running_loop().call_later(DIAL_S, self._over)

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._over()

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._dials.release()


def dialling() -> _Dial:
    """To be held while a connection is made."""
    loop = asyncio.get_running_loop()
    if (found := _dials.get(loop)) is None:
        found = _dials[loop] = asyncio.Semaphore(DIALS_AT_ONCE)
    return _Dial(found)


def _shaking() -> asyncio.Lock:
    """To be held while the steps are done that all conversations share."""
    loop = asyncio.get_running_loop()
    if (found := _shakes.get(loop)) is None:
        found = _shakes[loop] = asyncio.Lock()
    return found


class WireConnector(ShakingConnector):
    """`connect` of a subclass calls `shake` and then, where it needs a stamped stream, `dial`."""

    _greeted: asyncio.Future[None] | None = None

    @classmethod
    def prepare(cls, target: CompiledTarget) -> None:
        """The certificates of a system take tens of milliseconds to load, in which no user could send anything."""
        if target.tls or target.handshake is not None:
            with suppress(ConnectFailed):  # each turn says it
                tls_context(target.spec.tls)

    def expect_greeting(self) -> None:
        """Before a connection is made: what comes on it belongs to the greeting, if the target has one."""
        self.greeting = self.target.new_greeting()
        self._greeted = None if self.greeting is None else asyncio.get_running_loop().create_future()

    async def wait_for_greeting(self) -> None:
        """Return when it came; without one, at once. Raises TurnError."""
        greeting, greeted = self.greeting, self._greeted
        if greeting is None or greeted is None:
            return
        began_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(greeting.spec.within_s):
                await greeted
        except TimeoutError as exc:
            if greeting.spec.required:
                raise greeting.missed() from exc
        finally:
            self.greeting = self._greeted = None
        self.add_step("greeting", time.monotonic_ns() - began_ns)

    def greeting_over(self) -> None:
        greeting, greeted = self.greeting, self._greeted
        if greeting is None or greeted is None or greeted.done():
            return
        if greeting.failure is None:
            greeted.set_result(None)
        else:
            greeted.set_exception(greeting.failure)

    def greeting_failed(self, error: TurnError) -> bool:
        """The connection was lost; whether somebody waited for its greeting."""
        if self.greeting is None or self._greeted is None or self._greeted.done():
            return False
        self.greeting.failure = error
        self.greeting_over()
        return True

    async def shake(self) -> None:
        """Do the handshake's steps that are due. Raises TurnError."""
        handshake = self.target.handshake
        if handshake is None:
            return
        if handshake.run_due():
            began_ns = time.monotonic_ns()
            async with _shaking():
                self._waited(RUN_WAIT, began_ns)
                if handshake.run_due():
                    await self._walk(handshake.run_steps(), self._step_cookies(of_run=True))
        if (steps := self._session_steps()) is not None:
            await self._walk(steps, self._step_cookies(of_run=False))
        self._shook()

    async def _walk(self, steps: Steps, cookies: Cookies | None) -> None:
        from connectors.handshake import StepAnswer, StepTimeline, of_step
        from connectors.wire.connector import HttpConnector  # a connector of this kind itself

        carriers: dict[CompiledTarget, HttpConnector] = {}
        try:
            step = next(steps, None)
            while step is not None:
                began_ns = time.monotonic_ns()
                if (carrier := carriers.get(step.target)) is None:
                    carrier = carriers[step.target] = HttpConnector(step.target, allow_private=self.allow_private)
                    carrier.cookies = cookies
                timeline = StepTimeline(step, began_ns)
                try:
                    if not carrier.ready:
                        await carrier.connect()
                    await carrier.send_message(step.request, timeline)
                except TurnError as exc:
                    raise of_step(step.name, exc) from exc.__cause__
                self.add_step(step.name, time.monotonic_ns() - began_ns)
                try:
                    step = steps.send(StepAnswer(timeline.status, timeline.body, timeline.charset))
                except StopIteration:
                    step = None
        finally:
            for carrier in carriers.values():
                await carrier.disconnect()

    async def dial(self, *, lasting: bool = False) -> StampedStream:
        """A new connection to the target, its steps' times noted. `lasting`: it will not carry HTTP requests, so that
        a proxy must make a tunnel. Raises ConnectFailed or TimedOut."""
        target, proxy = self.target, self.target.proxy
        limit_s = target.spec.timeouts.connect
        steps: dict[str, int] = {}
        tunnel = None
        if proxy is not None and (target.tls or lasting):
            tunnel = Tunnel(proxy.tunnel_request(target.host, target.port), TunnelAnswer(proxy))
        async with dialling():
            try:
                async with asyncio.timeout(limit_s):
                    began_ns = time.monotonic_ns()
                    addresses = await self._addresses()
                    self.add_step("resolve", time.monotonic_ns() - began_ns)
                    stream = await open_stream(
                        addresses,
                        arrival_clock(),
                        steps,
                        tls=tls_context(target.spec.tls) if target.tls else None,
                        server_name=target.host,
                        tunnel=tunnel,
                    )
            except TimeoutError as exc:
                raise connect_timeout(target.host, limit_s, _stage(steps, tunnel)) from exc
            except ConnectFailed as exc:
                if proxy is None or "connect" in steps:
                    raise
                raise proxy.failed(exc) from exc
        for name, ns in steps.items():
            self.add_step(name, ns)
        return stream

    async def _addresses(self) -> list[Address]:
        target, proxy = self.target, self.target.proxy
        if proxy is None:
            return await guard.resolve_async(target.host, target.port, self.allow_private)
        if guard.is_judged_behind_proxy(target.host, self.allow_private):
            await guard.resolve_async(target.host, target.port, self.allow_private)
        return await guard.resolve_async(proxy.host, proxy.port, self.allow_private)


def _stage(steps: Mapping[str, int], tunnel: Tunnel | None) -> Stage:
    """What a new connection waits for after these steps."""
    if "connect" not in steps:
        return "connect"
    return "proxy" if tunnel is not None and STEP not in steps else "tls"
