"""`python -m tests.bench.steps`: how many steps of the interpreter a plain turn and a chunk of a stream cost an engine.

CPU follows them: each step is a jump that the processor has to predict. Those of a turn come out the same to a step or
two on a busy machine, those of a chunk within 1 %; CPU time and the processor's instructions do not. What costs time
within a step they do not show, such as a method that the interpreter has to look up: count instructions, too.

Two engines hold a different number of conversations, so that what starting costs cancels out.
"""

from __future__ import annotations

import argparse
import json
import linecache
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from connectors.spec import TargetSpec, build_target_spec
from runs.engine.core.shard_spec import WeightedScenario
from runs.load.profile import parse_load
from scenarios.render.walk import check_scenario
from tests.bench.instructions import SLOW, hold
from tests.bench.measure import TOKENS
from tests.bench.processes import ROOT
from tests.bench.truth import Truth, truth
from tests.support.engines import sole_order

BY_TIME: Final = frozenset(
    {
        "connectors/wire/transport/batch_reader.py",
        "runs/engine/core/waiting.py",
        "runs/engine/load_tasks.py",
        "runs/engine/self_metrics.py",
    }
)
"""What runs so many times a second, or once per user, is no part of a turn."""
BY_TIME_TOO: Final = frozenset({"_bracket", "_offset_ns", "_offset_ns.<locals>.<genexpr>", "ArrivalClock.sample"})
FEWER, MORE = 2, 20
"""Turns of each user."""
USERS: Final = {"plain": 64, "sse": 4, "websocket": 4, "socketio": 4, "http2": 4, "connection": 16}

WHOLE: Final = {"plain": "turn", "connection": "turn with a connection of its own"}
"""Whose answers are no streams."""


class Function(NamedTuple):
    """Of one unit: calls and steps, and steps by line."""

    file: str
    name: str
    calls: float
    steps: float
    lines: dict[int, float]


def target_of(what: str, server: Truth) -> TargetSpec:
    url, preset, stamp = {
        "connection": (server.base_url, "openai-chat", None),
        "plain": (server.base_url, "openai-chat", None),
        "sse": (server.base_url, "openai-chat", "t"),
        "http2": (server.base_url, "openai-chat", "t"),
        "websocket": (server.websocket_url, "generic-websocket", "t"),
        "socketio": (server.root_url, "generic-socketio", "data.t"),
    }[what]
    return build_target_spec(
        name="truth",
        url=url,
        preset=preset,
        stream=what in {"sse", "socketio", "http2"},
        params={"model": "truth"} if preset == "openai-chat" else {},
        overrides={
            "timeouts": SLOW,
            "reuse_connections": what != "connection",
            **({"response": {"stamp": stamp}} if stamp else {}),
            **({"http": {"version": "2", "streams_per_connection": 1}} if what == "http2" else {}),
        },
    )


def counted(what: str, turns: int) -> dict[tuple[str, str], list[Any]]:
    """Calls, steps and lines of each function of one engine whose users take `turns` turns each."""
    plain = what in WHOLE
    with tempfile.TemporaryDirectory() as folder, truth(*((0, 0) if plain else (20, 15)), TOKENS) as server:
        times = 1 if plain else turns
        repeat = {"do": "repeat", "times": times, "steps": [{"do": "say", "text": "Hello"}]}
        scenario = {"name": "bench", "history": "none", "steps": [repeat]}
        users = USERS[what]
        order = sole_order(
            f"{folder}/ledger.jsonl",
            target=target_of(what, server),
            scenarios=(WeightedScenario(scenario=check_scenario(scenario)),),
            load=parse_load({"kind": "closed", "users": users, "conversations": users * turns // times}),
        )
        steps = Path(folder, "steps.json")
        hold(order, (sys.executable, "-m", "tests.bench.step_counter", str(steps)))
        answered = Path(order.ledger_path).read_text("utf-8").count('"out":"ok"')
        if answered != users * turns:
            raise SystemExit(f"{answered} of {users * turns} turns were answered: nothing is to be said of their cost")
        rows = json.loads(steps.read_text("utf-8"))
        return {(file, name): [calls, count, lines] for file, name, calls, count, lines in rows}


def per_unit(what: str) -> list[Function]:
    """Of a plain turn, or of a chunk with its share of a turn; the most expensive function first."""
    more, fewer = counted(what, MORE), counted(what, FEWER)
    units = USERS[what] * (MORE - FEWER) * (1 if what in WHOLE else TOKENS)
    return sorted(_differences(more, fewer, units), key=lambda each: -each.steps)


def _differences(more: dict[tuple[str, str], list[Any]], fewer: dict[Any, list[Any]], units: int) -> Iterator[Function]:
    for (file, name), (calls, steps, lines) in more.items():
        short = file.removeprefix(f"{ROOT}/")
        if short in BY_TIME or name in BY_TIME_TOO or short.startswith("/"):
            continue
        calls_0, steps_0, lines_0 = fewer.get((file, name), [0, 0, {}])
        by_line = {int(line): (count - lines_0.get(line, 0)) / units for line, count in lines.items()}
        yield Function(short, name, (calls - calls_0) / units, (steps - steps_0) / units, by_line)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.steps", description=__doc__)
    parser.add_argument("what", nargs="*", choices=(*USERS, []), help="default: all")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="list the N most expensive functions")
    parser.add_argument("--lines", action="store_true", help="and the lines of each")
    arguments = parser.parse_args()
    for what in arguments.what or USERS:
        found = per_unit(what)
        total, calls = sum(each.steps for each in found), sum(each.calls for each in found)
        print(f"{what}: {total:,.1f} steps, {calls:.1f} calls a {WHOLE.get(what, 'chunk')}")
        for each in found[: arguments.functions]:
            print(f"{each.steps:9.2f} {each.calls:6.2f}  {each.name}  {each.file}")
            for line in sorted(each.lines) if arguments.lines else ():
                if each.lines[line] >= 0.01:
                    source = linecache.getline(str(ROOT / each.file), line).strip()
                    print(f"{each.lines[line]:19.2f}  {line:4} {source}")


if __name__ == "__main__":
    main()
