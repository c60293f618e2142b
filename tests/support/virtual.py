"""An engine in virtual time, against a target that is a rule: hours cost nothing, and its truth is known."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from connectors.base import BaseConnector
from connectors.errors import Aborted, TimedOut
from connectors.handshake.farewell import Parting
from connectors.mapping.request import RenderedRequest
from connectors.spec import build_target_spec
from connectors.timeline import Timeline
from metrics.end_codes import EndCode, end_code_of
from runs.engine.core import precise_timer
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.engine.recording.ledger import Ledger
from runs.engine.shard import Shard
from runs.engine.users import turns
from runs.load.profile import parse_load
from scenarios.render.walk import check_scenario
from tests.support.engines import Share, read, sole_order

S = 10**9
NEVER = math.inf
PROTOCOL = "virtual"


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer whenever nothing else is to be done."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        loop = cast("Any", self)
        if not loop._ready and loop._scheduled:
            self.now_s = max(self.now_s, loop._scheduled[0].when())
        super()._run_once()  # type: ignore[misc] # asyncio's own

    def ns(self) -> int:
        return round(self.now_s * S)


@dataclass
class Asked:
    """What the target knows of a request: when it came, when its answer was to come (s), and whether it was taken."""

    at_s: float
    answer_at_s: float
    is_answered: bool = False


@dataclass
class Rule:
    """How the target answers: `takes(number of the request, its time in s)` is the time until the answer, in s."""

    takes: Callable[[int, float], float]
    connects: Callable[[float], float] = lambda _at: 0.0
    times_out_s: float = NEVER
    drips_s: float | None = None
    """Answers are streamed, and while one is under way a piece of its text comes each time that so many s are over."""
    leaves_s: float | None = None
    """What is asked at the end of each conversation takes so long; None: nothing is."""
    asked: list[Asked] = field(default_factory=list)
    """All requests, in the order in which they came."""
    left: list[float] = field(default_factory=list)
    """When something was asked at the end (s)."""


class VirtualConnector(BaseConnector):
    rule: ClassVar[Rule]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._connected = False

    @property
    def ready(self) -> bool:
        return self._connected

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        takes_s = self.rule.connects(loop.time())
        if takes_s == NEVER:
            await loop.create_future()
        await asyncio.sleep(takes_s)
        self._connected = True

    async def send_message(self, request: RenderedRequest, timeline: Timeline) -> None:
        loop, rule = asyncio.get_running_loop(), self.rule
        takes_s = rule.takes(len(rule.asked), loop.time())
        asked = Asked(loop.time(), loop.time() + takes_s)
        rule.asked.append(asked)
        timeline.sent(max(time.monotonic_ns(), timeline.planned_ns), 10)
        try:
            if rule.drips_s is not None:
                await self._drip(timeline, rule.drips_s, asked.answer_at_s)
            elif takes_s <= rule.times_out_s:
                await (asyncio.sleep(takes_s) if takes_s < NEVER else loop.create_future())
            else:
                await asyncio.sleep(rule.times_out_s)
                raise TimedOut("first_byte_timeout")
        except asyncio.CancelledError:
            self._connected = False
            raise Aborted from None
        asked.is_answered = True
        now_ns = time.monotonic_ns()
        timeline.received(now_ns, 20)
        if rule.drips_s is None:
            timeline.answer(now_ns, b'{"response": "hello"}')
        else:
            timeline.event(now_ns, b'{"delta": "!"}')
            timeline.event(now_ns, b"[DONE]")
            timeline.settle()

    async def _drip(self, timeline: Timeline, every_s: float, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() + every_s < until_s:
            await asyncio.sleep(every_s)
            timeline.event(time.monotonic_ns(), b'{"delta": "and "}')
        await asyncio.sleep(until_s - loop.time())

    async def say_farewell(self) -> Parting | None:
        rule, loop = self.rule, asyncio.get_running_loop()
        if rule.leaves_s is None:
            return None
        rule.left.append(round(loop.time(), 6))
        await (asyncio.sleep(rule.leaves_s) if rule.leaves_s < NEVER else loop.create_future())
        parting = Parting([], {})
        parting.took_ns["leave"] = int(rule.leaves_s * 1e9)
        return parting

    def disconnect(self) -> None:
        self._connected = False


def hold(
    rule: Rule,
    load: dict[str, Any],
    folder: Path,
    *,
    stop_at_s: float | None = None,
    reason: str = "stopped",
    steps: Sequence[dict[str, Any]] = ({"do": "say", "text": "hi"},),
    **spec: Any,
) -> Share:
    """The load against the rule, by one engine; what its ledger says. `stop_at_s`: somebody stops it then."""
    loop = VirtualLoop()
    path = folder / f"{time.perf_counter_ns()}.jsonl"
    streamed = rule.drips_s is not None
    goodbye = [] if rule.leaves_s is None else [{"name": "leave", "url": "/leave"}]
    overrides = {"handshake": {"goodbye": goodbye}}
    target = build_target_spec(
        name="t", url="http://127.0.0.1:1", preset="generic-json", stream=streamed, overrides=overrides
    ).model_copy(update={"protocol": PROTOCOL})
    order = sole_order(
        str(path),
        target=target,
        scenarios=(WeightedScenario(scenario=check_scenario({"name": "s", "steps": [*steps]})),),
        load=parse_load(load),
        connectors={PROTOCOL: f"{__name__}:VirtualConnector"},
        **spec,
    )
    with pytest.MonkeyPatch.context() as patch:
        _patch_clock(patch, loop)
        patch.setattr(VirtualConnector, "rule", rule, raising=False)
        loop.run_until_complete(_run(order, path, stop_at_s, reason))
    loop.close()
    return read(path)


def _patch_clock(patch: pytest.MonkeyPatch, loop: VirtualLoop) -> None:
    patch.setattr(time, "monotonic_ns", loop.ns)
    patch.setattr(precise_timer, "_new_timer", lambda: -1)  # a timer of the system's would ring in real time
    patch.setattr(turns, "not_before", lambda at_ns: at_ns)  # it waits awake, and this clock stands still then


async def _run(order: ShardSpec, path: Path, stop_at_s: float | None, reason: str) -> None:
    shard = Shard(order)
    ledger = Ledger(path, _fail)
    if stop_at_s is not None:
        asyncio.get_running_loop().call_at(stop_at_s, _stop, shard, reason)
    ledger.append({
        "k": "head", "timestamps": "kernel", "host": "h", "t0_wall_ns": 1, "of": 1,
    })  # fmt: skip
    await shard.run(0, ledger)
    ledger.close()


def _stop(shard: Shard, reason: str) -> None:
    """As the engine's command line hears it: `reason` is the ledger's, `stopped: threshold: ...`."""
    why = end_code_of("", reason.removeprefix("stopped: "))
    shard.end(EndCode(end_code_of("", reason)), reason, run_code=why)


def _fail(exc: OSError) -> None:
    raise exc
