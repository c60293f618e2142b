"""`python -m tests.bench.idle`: what a conversation costs that says nothing at the moment.

Most of many conversations think: a connection is open, a user waits for the next message's time. For each number of
users, each says one message and then waits; the engine's memory and CPU are read from its ledger while all of them
wait. Memory is the difference from a run of FEW users, so that the process itself does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import ROOT
from tests.bench.truth import Truth, truth

FEW = 10
SETTLE_S, LOOK_S = 6, 10
"""After the last user has come: until all of them wait, and how long they are looked at."""
TALK = {"name": "idle", "steps": [{"do": "say", "text": "Hello"}, {"do": "wait", "seconds": 3000}]}


class Idle(NamedTuple):
    users: int
    rss: int
    cpu_share: float
    """Of one core."""


def measure(preset: str, server: Truth, users: int, folder: Path) -> Idle:
    """One run. Raises CalledProcessError."""
    scenario, overrides = folder / "idle.json", folder / "overrides.json"
    scenario.write_text(json.dumps(TALK))
    overrides.write_text(json.dumps({"params": {"max_tokens": 4}} if preset == "openai-chat" else {}))
    own = Path(tempfile.mkdtemp(dir=folder))
    url = server.websocket_url if preset == "generic-websocket" else server.base_url
    seconds = users / 1000 + SETTLE_S + LOOK_S
    argv = [sys.executable, "manage.py", "burn", "--url", url, "--preset", preset, "--no-witness"]
    argv += ["--scenario", str(scenario), "--users", str(users), "--duration", f"{seconds}s"]
    env = {**os.environ, "TOKENBURN_VAR_DIR": str(own), "TOKENBURN_ENV_FILE": "", "DATABASE_URL": ""}
    env |= {"TOKENBURN_SECRET_API_KEY": "none", "REDIS_URL": "redis://127.0.0.1:9/0"}
    subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    (ledger,) = own.glob("ledgers/*/shard-0-*.jsonl")
    return idle(users, list(_lines(ledger)))


def idle(users: int, lines: list[dict[str, Any]]) -> Idle:
    """The last LOOK_S of a ledger's health lines without messages and with all users present."""
    gen = [line for line in lines if line["k"] == "gen" and line["active"] == users and line["inflight"] == 0]
    assert len(gen) > LOOK_S // 2, f"{users} users were never all waiting"
    first, last = gen[-min(len(gen), LOOK_S)], gen[-1]
    return Idle(users, last["rss"], (last["cpu_ns"] - first["cpu_ns"]) / (last["at"] - first["at"]))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        yield from map(json.loads, file)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.idle", description=__doc__)
    parser.add_argument("users", type=int, nargs="*", default=[2000, 8000])
    parser.add_argument("--preset", choices=("openai-chat", "generic-websocket"), action="append")
    arguments = parser.parse_args()
    print("| protocol | users | engine, MB | KB a conversation | CPU of a core |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="token-burn-idle-") as name:
        for preset in arguments.preset or ["openai-chat", "generic-websocket"]:
            with truth(20, 1, 4) as server:
                few = measure(preset, server, FEW, Path(name))
                for users in arguments.users:
                    found = measure(preset, server, users, Path(name))
                    each = (found.rss - few.rss) / (found.users - few.users) / 1000
                    cells = (preset, f"{users:,}", f"{found.rss / 1e6:.0f}", f"{each:.1f}", f"{found.cpu_share:.1%}")
                    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
