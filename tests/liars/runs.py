"""Hold a bot with the engine and with the reference lane, and say what is not true of what they report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.spec import TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from metrics.analysis.totals import Aggregate
from metrics.ingest.batch import parse
from metrics.report.build import RunFacts, build_report
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.engine.recording.ledger import Ledger
from runs.engine.shard import Shard
from runs.load.profile import parse_load
from scenarios.render.walk import check_scenario
from tests.hostile.grpc import PROTO
from tests.integration.connectors.lanes import PRESETS, Client, Turn
from tests.liars.chat import Book, reply_to
from tests.liars.serve import LiarServer
from tests.liars.table import TIMEOUTS as BY_TIMEOUT
from tests.liars.table import Liar

TURNS = 4
AT_ONCE = 24
"""Runs that go on at the same time: more would make the machine, not the target, slow."""
AGAIN = 2
"""How often a load of a second or two is held again in which a busy machine asked nothing at all: it shows nothing."""
TIMEOUTS = {"connect": 5.0, "first_byte": 1.5, "idle": 1.5, "total": 3.0}
PATIENT = {"connect": 10.0, "first_byte": 15.0, "idle": 15.0, "total": 30.0}
"""For whom no time limit is to tell: a busy machine may stand still for a while."""
EARLY_NS = 5_000_000
"""An answer that came so much earlier than the target gave it is another question's."""
MACHINE = frozenset({"few_samples", "send_lag", "loop_lag", "cpu_saturated", "engine_stalled", "arrivals_dropped"})
"""Reasons of a verdict that come from a short run on a busy machine; none of them is about what answers mean."""


def _code(remark: str) -> str:
    return remark.partition(":")[0]


@dataclass(frozen=True)
class Held:
    """What a run of one bot came to: its report and the ledger's turns."""

    report: Mapping[str, Any]
    turns: Sequence[Mapping[str, Any]]
    by_id: bool
    """Whether its mapping tells answers apart, so that what comes unasked does no harm."""

    @property
    def reasons(self) -> set[str]:
        return set(map(_code, self.report["verdict"]["reasons"])) - MACHINE

    @property
    def green(self) -> bool:
        return not self.reasons and not self.report["errors"]

    @property
    def told(self) -> set[str]:
        """Every code by which the run says that something is wrong."""
        return self.reasons | set(self.report["errors"])


def target(protocol: str, name: str, bot: Liar, url: str) -> TargetSpec:
    said = {"x-bot": name}
    overrides: dict[str, Any] = {"timeouts": TIMEOUTS if bot.seen_as & BY_TIMEOUT else PATIENT, **bot.target}
    overrides["request"] = {"headers": said, **bot.target.get("request", {})}
    if protocol in {"split", "split-websocket", "directline"}:
        overrides["standing"] = {"headers": said}
    if protocol == "split-websocket":
        overrides["protocol"] = protocol
    if protocol == "directline":
        overrides["handshake"] = {"steps": [{**_conversation(), "headers": said}]}
    if protocol == "socketio":
        overrides["socketio"] = {"namespace": "/"}
    if protocol == "grpc":
        overrides["grpc"] = {"proto": PROTO, "method": "tokenburn.mock.v1.Chat/Converse"}
    streamed = protocol in {"sse", "grpc", "socketio"}
    preset = {"http": "generic-json", "sse": "generic-json", "directline": "directline"}.get(protocol)
    preset = preset or PRESETS[protocol]
    return build_target_spec(name=name, url=url, preset=preset, stream=streamed, overrides=overrides)


def _conversation() -> dict[str, Any]:
    """The first step of the preset for Direct Line."""
    spec = build_target_spec(name="x", url="http://x.example", preset="directline", secrets={"direct_line": "s"})
    step: dict[str, Any] = spec.frozen_dict()["handshake"]["steps"][0]
    return step


def scenario(bot: Liar) -> dict[str, Any]:
    question = "question {{ loop.index }} of {{ session.id }}"
    steps = [{"do": "say", "text": question}, *([{"do": "expect", "contains": question}] if bot.expects else [])]
    return {"name": "talk", "history": "none", "steps": [{"do": "repeat", "times": TURNS, "steps": steps}]}


def hold_all(bots: Mapping[str, Liar], protocol: str, server: LiarServer, folder: Path) -> dict[str, Held]:
    """Every bot of the protocol, by the engine, a few at a time."""
    names = [name for name, bot in bots.items() if protocol in bot.protocols]
    orders = {
        name: _order(number, bots[name], target(protocol, name, bots[name], server.urls[protocol]), folder)
        for number, name in enumerate(names, 1)
    }

    async def hold() -> list[Held]:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(order: ShardSpec) -> Held:
            async with room:
                await _hold(order)
                for _ in range(AGAIN):
                    if (held := _read(order)).turns:
                        return held
                    _forget(order)
                    await _hold(order)
                return _read(order)

        return await asyncio.gather(*map(one, orders.values()))

    return dict(zip(orders, asyncio.run(hold()), strict=True))


def _order(run: int, bot: Liar, spec: TargetSpec, folder: Path) -> ShardSpec:
    load = {"kind": "closed", "users": 2, "conversations": 4, **bot.load}
    return ShardSpec(
        run_id=run,
        shard_id=1,
        index=0,
        of=1,
        seed=7,
        id_base=1 << 32,
        ledger_path=str(folder / f"{run}.jsonl"),
        target=spec,
        scenarios=(WeightedScenario(scenario=check_scenario(scenario(bot))),),
        load=parse_load({key: value for key, value in load.items() if value is not None}),
        record_chars=100_000,
    )


def _forget(order: ShardSpec) -> None:
    ledger = Path(order.ledger_path)
    for file in ledger.parent.glob(f"{ledger.name}*"):
        file.unlink()


async def _hold(order: ShardSpec) -> None:
    def failed(exc: OSError) -> None:
        raise exc

    ledger = Ledger(Path(order.ledger_path), failed)
    ledger.append(
        {
            "k": "head", "v": 1, "run": order.run_id, "shard": 1, "index": 0, "of": 1, "id_base": order.id_base,
            "t0_mono_ns": 0, "t0_wall_ns": 0, "timestamps": "kernel", "host": "h", "pid": 1,
            "correlates": CompiledTarget(order.target).tells_by_id,
        }
    )  # fmt: skip
    await Shard(order).run(time.monotonic_ns(), ledger)
    ledger.close()


def _read(order: ShardSpec) -> Held:
    batch = parse(Path(order.ledger_path).read_bytes(), order.run_id, 1)
    aggregate = Aggregate()
    aggregate.add_all(batch.windows.values())
    facts = RunFacts(
        id=order.run_id, status="completed", target=order.target.name, scenario="talk",
        load=order.load.model_dump(), started_at=None,
    )  # fmt: skip
    fields = ("outcome", "code", "detail", "sent_ns", "done_ns", "message", "answer")
    turns = [dict(zip(fields, row, strict=True)) for row in zip(*map(batch.turns.row, fields), strict=True)]
    return Held(build_report(facts, aggregate), turns, CompiledTarget(order.target).correlates)


def reference_all(bots: Mapping[str, Liar], protocol: str, server: LiarServer) -> dict[str, list[Turn]]:
    """Two conversations with every bot of the protocol, by the stock clients, until one fails."""
    names = [name for name, bot in bots.items() if protocol in bot.protocols and bot.load == {}]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda name: _talk(protocol, name, bots[name], server), names)
        return dict(zip(names, found, strict=True))


def _talk(protocol: str, name: str, bot: Liar, server: LiarServer) -> list[Turn]:
    turns: list[Turn] = []
    with Client("reference", target(protocol, name, bot, server.urls[protocol])) as client:
        client.connector.begin({"id": name})
        for number in range(1, TURNS + 1):
            if number == TURNS // 2 + 1:
                client.connector.begin({"id": f"{name}-again"})
            turns.append(client.say(f"question {number} of reference-1"))
            if turns[-1].code is not None:
                break
    return turns


# --- what is not true -------------------------------------------------------------------------------------------------


def untrue(held: Held, book: Book, bot: Liar) -> Iterator[str]:
    """What the run reports as an answer and was none. Nothing, if all of its figures are true."""
    for turn in held.turns:
        if turn["outcome"] != "ok":
            continue
        truth = book.truths.get(turn["message"])
        if truth is None or truth.answered_ns is None:
            yield f"{turn['message']!r} was not answered, and is ok with {turn['answer']!r}"
        elif turn["answer"] != truth.text:
            yield f"{turn['message']!r} was answered {truth.text!r}, and is ok with {turn['answer']!r}"
        elif turn["done_ns"] - turn["sent_ns"] < truth.answered_ns - truth.received_ns - EARLY_NS:
            yield f"{turn['message']!r} is answered before the target did"
    if not bot.tokens_told and held.report["tokens"]["source"] == "usage":
        yield f"its tokens are said to be the target's: {held.report['tokens']}"


def untrue_alone(turns: Sequence[Turn]) -> Iterator[str]:
    """As `untrue`, of a conversation of the reference lane with a bot that echoes."""
    for number, turn in enumerate(turns, 1):
        question = f"question {number} of reference-1"
        if turn.code is None and turn.text != reply_to(question):
            yield f"{question!r} is ok with {turn.text!r}"
