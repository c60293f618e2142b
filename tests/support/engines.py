"""All engines of a run in this process and one loop: the real ones, on real sockets, without the second that a process
takes to start. What they wrote is read from their ledgers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from connectors.spec import TargetSpec
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.engine.recording.ledger import Ledger
from runs.engine.shard import Shard
from runs.load.profile import parse_load
from scenarios.render.walk import check_scenario

Line = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """One engine's ledger."""

    lines: list[Line]

    @property
    def turns(self) -> list[Line]:
        return [line for line in self.lines if line["k"] == "turn"]

    @property
    def users(self) -> dict[int, int]:
        """By session."""
        return {line["id"]: line["user"] for line in self.lines if line["k"] == "open"}

    @property
    def reason(self) -> str:
        (tail,) = (line for line in self.lines if line["k"] == "tail")
        return str(tail["reason"])


def sole_order(ledger: str, **parts: Any) -> ShardSpec:
    """For the only engine of a run; `parts` are the other fields of ShardSpec."""
    return ShardSpec(run_id=1, shard_id=1, index=0, of=1, seed=7, id_base=1 << 32, ledger_path=ledger, **parts)


def hold(
    target: TargetSpec, scenario: dict[str, Any], load: dict[str, Any], folder: Path, *, of: int, seed: int = 7
) -> list[Share]:
    """The load, shared by `of` engines that begin together."""
    folder.mkdir(parents=True)
    specs = [
        ShardSpec(
            run_id=1,
            shard_id=index + 1,
            index=index,
            of=of,
            seed=seed,
            id_base=(index + 1) << 32,
            ledger_path=str(folder / f"{index}.jsonl"),
            target=target,
            scenarios=(WeightedScenario(scenario=check_scenario(scenario)),),
            load=parse_load(load),
        )
        for index in range(of)
    ]
    asyncio.run(_all(specs))
    return [read(Path(spec.ledger_path)) for spec in specs]


def read(path: Path) -> Share:
    return Share([orjson.loads(line) for line in path.read_bytes().splitlines()])


async def _all(specs: list[ShardSpec]) -> None:
    t0_ns = time.monotonic_ns()
    await asyncio.gather(*(_one(spec, t0_ns) for spec in specs))


async def _one(spec: ShardSpec, t0_ns: int) -> None:
    def failed(exc: OSError) -> None:
        raise exc

    ledger = Ledger(Path(spec.ledger_path), failed)
    await Shard(spec).run(t0_ns, ledger)
    ledger.close()
