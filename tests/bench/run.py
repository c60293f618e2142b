"""`make bench`: how true Token-Burn's times are and what a turn costs, in one table, beside other tools.

The server (truth.c) has core 1 to itself, but for what stores Token-Burn's ledger, at low priority; each load generator
has core 0. Exit 0, or 1 if a count differs or a goal is missed, 2 if the bench cannot run here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from math import isinf
from subprocess import TimeoutExpired

from rich.console import Console
from rich.table import Table

from tests.bench.measure import K6, K6_READS, LOCUST, OURS, TOKENS, USERS, Cost, Fidelity, Goal, cost, fidelity
from tests.bench.tools import LOAD_CORE, SERVER_CORE, Over, ToolFailed
from tests.bench.truth import BuildError

RATIO_TO_K6 = 2.0
CALM_LOAD = 2.8
PARTS: dict[str, Over] = {"fidelity": "SSE", "websocket": "WebSocket", "socketio": "Socket.IO", "http2": "HTTP/2"}


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--only", choices=(*PARTS, "cost"), help="one of the parts")
    parser.add_argument(
        "--streams", type=int, nargs="+", default=[400, 1000], help="default: 400 1000 over SSE; else the first"
    )
    parser.add_argument("--turns", type=int, default=7, help="turns of each stream (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of load in each cost run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="cost runs of each tool (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    arguments = _arguments(argv)
    console = Console()
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        sys.stderr.write(f"bench: needs the cores {LOAD_CORE} and {SERVER_CORE}, to keep server and load apart\n")
        return 2
    try:
        streams, costs = _measured(arguments, console)
    except (BuildError, ToolFailed, TimeoutExpired, FileNotFoundError) as exc:
        sys.stderr.write(f"bench: {exc}\n")
        return 2
    table, fine = make_table(streams, costs)
    console.print(table)
    console.print(_notes(), style="dim", highlight=False)
    return 0 if fine else 1


def _measured(arguments: argparse.Namespace, console: Console) -> tuple[list[Fidelity], list[Cost]]:
    streams: list[Fidelity] = []
    costs: list[Cost] = []
    with console.status("") as status:
        for part, over in PARTS.items():
            if arguments.only not in {None, part}:
                continue
            for number in arguments.streams[: None if over == "SSE" else 1]:
                status.update(f"fidelity: {number} streams over {over}")
                streams.append(fidelity(number, arguments.turns, over=over))
        if arguments.only in {None, "cost"}:
            costs = cost(arguments.rounds, arguments.seconds, lambda line: status.update(f"cost: {line}"))
    return streams, costs


def make_table(streams: Sequence[Fidelity], costs: Sequence[Cost]) -> tuple[Table, bool]:
    table = Table(title="Token-Burn bench")
    for name in ("what", "figure", "goal", ""):
        table.add_column(name, justify="right" if name in {"figure", "goal"} else "left", overflow="fold")
    fine = True
    for found in streams:
        fine &= _add_fidelity(table, found)
    if costs:
        fine &= _add_costs(table, costs)
    return table, fine


def _add_fidelity(table: Table, found: Fidelity) -> bool:
    what = f"{found.streams} streams of {TOKENS} tokens over {found.over}"
    table.add_section()
    table.add_row(f"[bold]{what}[/]", f"{found.chunks_per_s:,.0f} chunks/s", "", f"{found.timestamps} timestamps")
    for goal in found.goals:
        _add_goal(table, goal)
    table.add_row("  ttft p50, ms", f"{found.ttft_p50_ms:.3f}", "", "")
    table.add_row("  server's timers over 1 ms late", f"{found.server_late_1ms:,}", "", f"of {found.chunks:,} chunks")
    _add_counts(table, "turns, chunks, tokens, ledger, database", found.mismatches)
    return not found.mismatches and all(goal.met for goal in found.goals)


def _add_costs(table: Table, costs: Sequence[Cost]) -> bool:
    by_tool = {cost.tool: cost for cost in costs}
    table.add_section()
    table.add_row(f"[bold]{USERS} users, plain answers, 0 ms[/]", "requests/s", "", "each round; CPU per request")
    for found in sorted(costs, key=lambda cost: -cost.rate):
        rounds = ", ".join(f"{each.rate:,.0f}" for each in found.rounds)
        table.add_row(f"  {found.tool}", f"{found.rate:,.0f}", "", f"{rounds}; {found.cpu_us:.1f} us")
        _add_counts(table, f"{found.tool}: its count against the server's", found.mismatches)
    goals = [
        Goal(f"Token-Burn / {tool}", by_tool[OURS].rate / by_tool[tool].rate, RATIO_TO_K6, at_least=True)
        for tool in (K6_READS, K6)
    ]
    for goal in goals:
        _add_goal(table, goal)
    table.add_row("  Token-Burn / Locust", f"{by_tool[OURS].rate / by_tool[LOCUST].rate:.3f}", "", "")
    return all(goal.met for goal in goals) and not any(cost.mismatches for cost in costs)


def _add_goal(table: Table, goal: Goal) -> None:
    sign = ">=" if goal.at_least else "<="
    if isinf(goal.limit):
        table.add_row(f"  {goal.name}", f"{goal.value:.3f}", "", "")
        return
    verdict = "[green]met[/]" if goal.met else "[red]missed[/]"
    table.add_row(f"  {goal.name}", f"{goal.value:.3f}", f"{sign} {goal.limit:g}", verdict)


def _add_counts(table: Table, name: str, mismatches: Sequence[str]) -> None:
    said = "[red]" + "; ".join(mismatches) + "[/]" if mismatches else "[green]equal[/]"
    table.add_row(f"  {name}", "", "equal", said)


def _notes() -> str:
    return (
        f"Core {SERVER_CORE}: the server and, at low priority, what stores Token-Burn's ledger in the database. "
        f"Core {LOAD_CORE}: Token-Burn's engine, k6 (GOMAXPROCS=1), Locust (one process).\n"
        "Rates are the server's own: answers from the first request to the last answer. "
        "Arrival error: arrival minus the send time that a chunk carries.\n"
        "Token-Burn reads each answer and stores each turn; k6 and Locust send and receive, unless it says 'read'. "
        "Their CPU includes their start, ours is the engine's from the first request on.\n" + _busy()
    )


def _busy() -> str:
    """Server and generator make a load of about 2; what is above it took their cores away from them."""
    load = os.getloadavg()[0]
    if load > CALM_LOAD:
        return f"THE MACHINE WAS BUSY with other things (load {load:.1f}): times and rates are theirs too. Counts hold."
    return f"On a shared machine figures move by some 10 %; load while this ran: {load:.1f}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
