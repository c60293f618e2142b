"""`python -m tests.bench.omission`: a target that stops for a while, seen by an open and by a closed loop.

The mock is halted (SIGSTOP) in the middle of each run: its kernel goes on taking connections and bytes, as for a
program that collects garbage or swaps. What users would have felt is known: of those who come evenly at R a second for
D seconds, R * S find it stopped for S seconds, and wait from S down to nothing. Prints a table, writes the chart of
docs/coordinated-omission.md with `--svg FILE`, and exits 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import ROOT
from tests.support.processes import Mock, child_env, mock_chatbot
from tokenburn_site.local.process_groups import ProcessGroups

ANSWER_MS = 20
MOCK = ("--delay-ms", str(ANSWER_MS), "--error-rate", "0", "--behaviour", "echo", "--grpc-port", "-1")
PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9)
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 260, 56, 24, 14, 40


class Curve(NamedTuple):
    name: str
    values_ms: list[float]

    def at(self, percentile: float) -> float:
        """Nearest rank, over every single turn."""
        rank = math.ceil(len(self.values_ms) * percentile / 100)
        return self.values_ms[min(max(rank, 1), len(self.values_ms)) - 1]


@contextmanager
def halted(pid: int, after_s: float, for_s: float) -> Iterator[list[float]]:
    """The process stops `after_s` from now and goes on `for_s` later; it is running again at the end in any case.
    Afterwards the list has the seconds for which it really stood still: on a busy machine it is more."""
    stopped_s: list[float] = []

    def halt() -> None:
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(for_s)  # from when it stopped: a timer of its own would not be late by as much
        os.kill(pid, signal.SIGCONT)
        stopped_s.append(time.monotonic() - began)

    timer = threading.Timer(after_s, halt)
    timer.start()
    try:
        yield stopped_s
    finally:
        timer.cancel()
        timer.join()
        os.kill(pid, signal.SIGCONT)


def burn(mock: Mock, folder: Path, seconds: float, stop_s: float, *load: str) -> list[dict[str, Any]]:
    """The turns of one run, as its ledger has them."""
    argv = [sys.executable, "manage.py", "burn", "--url", f"{mock.url}/v1", "--preset", "openai-chat"]
    argv += ["--prompt", "Hello", "--duration", f"{seconds:g}s", "--no-witness", "--seed", "1", *load]
    env = child_env() | {"TOKENBURN_VAR_DIR": str(folder), "TOKENBURN_ENV_FILE": "", "DATABASE_URL": ""}
    # Starting takes a second or two: the halt falls somewhere in the middle.
    with halted(mock.child.pid, 2.0 + (seconds - stop_s) / 2, stop_s):
        subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    ledgers = list(folder.rglob("shard-*.jsonl"))
    lines = [json.loads(line) for ledger in ledgers for line in ledger.read_bytes().splitlines()]
    return [line for line in lines if line["k"] == "turn" and line["out"] == "ok"]


def curve(name: str, turns: Sequence[dict[str, Any]], since: str) -> Curve:
    return Curve(name, sorted((turn["done"] - turn[since]) / 1e6 for turn in turns))


def expected(seconds: float, stop_s: float, percentile: float) -> float:
    """What a user at that percentile waits, in ms: the share `stop_s / seconds` of them wait up to `stop_s`."""
    above = 1 - percentile / 100
    return ANSWER_MS + max(0.0, stop_s - above * seconds) * 1000


def svg(curves: Sequence[Curve], title: str) -> str:
    """Percentiles over the share of slower turns (each step to the right is a tenth of them), as one picture."""
    top = math.ceil(max(each.values_ms[-1] for each in curves) / 500) * 500
    tails = (1.0, 0.1, 0.01, 0.001)

    def x(position: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * position / 3

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><title>{title}</title><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    ]
    for step in range(6):
        value = top * step / 5
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#444">{value:,.0f}</text>')
    for position, tail in enumerate(tails):
        label = "all" if tail == 1 else f"p{100 - tail * 100:g}"
        parts.append(f'<text x="{x(position):.1f}" y="{HEIGHT - 22}" text-anchor="middle" fill="#444">{label}</text>')
    colours = ("#c2410c", "#1d4ed8", "#15803d")
    for number, each in enumerate(curves):
        points = [(x(i / 20), y(each.at(100 - 100 * 10 ** (-i / 20)))) for i in range(61)]
        path = "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in points)
        parts.append(f'<path d="{path}" fill="none" stroke="{colours[number]}" stroke-width="2"/>')
        at = LEFT + number * 225
        parts.append(f'<text x="{at}" y="{HEIGHT - 5}" fill="{colours[number]}">{each.name}</text>')
    return "".join(parts) + "</svg>\n"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.omission", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--stop", type=float, default=2.0, help="seconds for which the target stops")
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--svg", type=Path)
    given = parser.parse_args(argv)
    users = given.rate * ANSWER_MS // 1000
    with tempfile.TemporaryDirectory() as name, ProcessGroups() as family:
        folder = Path(name)
        with mock_chatbot(family, *MOCK, log=folder / "mock.log") as mock:
            opened = burn(mock, folder / "open", given.seconds, given.stop, "--rate", f"{given.rate}/s")
            closed = burn(mock, folder / "closed", given.seconds, given.stop, "--users", str(users))
    curves = [
        curve("open loop, e2e_planned_ms", opened, "planned"),
        curve("open loop, e2e_ms", opened, "sent"),
        curve(f"closed loop of {users}, e2e_ms", closed, "sent"),
    ]
    names = [each.name for each in curves]
    print(f"| percentile | should be | {' | '.join(names)} |")
    print("|---" * (len(names) + 2) + "|")
    for percentile in PERCENTILES:
        cells = [f"{each.at(percentile):,.0f}" for each in curves]
        print(
            f"| p{percentile:g} | {expected(given.seconds, given.stop, percentile):,.0f} | " + " | ".join(cells) + " |"
        )
    print(f"turns: {len(opened)} in the open loop, {len(closed)} in the closed one")
    if given.svg:
        given.svg.write_text(
            svg([curves[0], curves[2]], "Answer times by percentile, while the target stopped once"), "utf-8"
        )
    shown = curves[0].at(99) >= given.stop * 900
    hidden = curves[2].at(99) < given.stop * 100
    return 0 if shown and hidden else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
