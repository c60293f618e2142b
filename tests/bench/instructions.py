"""`python -m tests.bench.instructions`: how many instructions of the processor a plain turn costs an engine, on a kept
connection or, with `--connect`, on one of its own.

CPU time moves by tenths from run to run; instructions, which valgrind counts, by a hundredth or two, but by more beside
other work, for then fewer answers share a turn of the loop. Count two trees in turn (as root with `nice -n -15`).

Two engines hold a different number of conversations, so that what starting costs cancels out. It takes a minute. Of
streams it says nothing: how many chunks one turn of the loop reads depends on time.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")

from connectors.spec import build_target_spec
from runs.engine.core.shard_spec import ShardSpec, WeightedScenario
from runs.load.profile import parse_load
from runs.supervisor.engine_process import Done, EngineProcess, Exited, Ready
from scenarios.render.walk import check_scenario
from tests.bench.measure import TOKENS
from tests.bench.truth import BuildError, truth
from tests.support.engines import sole_order

SCENARIO: Final = {
    "name": "bench",
    "history": "none",
    "steps": [{"do": "repeat", "times": 1, "steps": [{"do": "say", "text": "Hello"}]}],
}
"""That of the other benches."""
SLOW: Final = dict.fromkeys(("connect", "first_byte", "idle", "total"), 60.0)
"""Time limits: under valgrind an engine is fifty times slower."""
LIMIT_S: Final = 300.0
USERS, FEWER, MORE = 32, 200, 2200
"""MORE and FEWER conversations."""


def counted(conversations: int, *, kept: bool = True) -> int:
    """Instructions of one engine, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder, truth(0, 0, TOKENS) as server:
        target = build_target_spec(
            name="truth",
            url=server.base_url,
            preset="openai-chat",
            params={"model": "truth"},
            overrides={"timeouts": SLOW, "reuse_connections": kept},
        )
        order = sole_order(
            f"{folder}/ledger.jsonl",
            target=target,
            scenarios=(WeightedScenario(scenario=check_scenario(SCENARIO)),),
            load=parse_load({"kind": "closed", "users": USERS, "conversations": conversations}),
        )
        log = Path(folder, "valgrind.log")
        valgrind = (
            "env",
            "PYTHONHASHSEED=0",
            "valgrind",
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        )
        hold(order, (*valgrind, f"--log-file={log}", sys.executable, "-m", "runs.engine"))
        ledger = Path(order.ledger_path).read_text("utf-8")
        answered = sum('"k":"turn"' in line and '"out":"ok"' in line for line in ledger.splitlines())
        if answered != conversations:
            raise SystemExit(f"{answered} of {conversations} turns were answered: nothing is to be said of their cost")
        found = re.search(r"I\s+refs:\s+([\d,]+)", log.read_text("utf-8"))
        if found is None:
            raise SystemExit(f"valgrind counted nothing:\n{log.read_text('utf-8')}")
        return int(found[1].replace(",", ""))


def hold(order: ShardSpec, command: tuple[str, ...]) -> None:
    """The load, to its end."""
    engine = EngineProcess(order, command)
    until = time.monotonic() + LIMIT_S
    try:
        while (left_s := until - time.monotonic()) > 0:
            engine.keep()
            match engine.next_event(min(left_s, 5.0)):
                case Ready():
                    engine.go(time.monotonic_ns() + 1_000_000_000)
                case Done() | None:
                    pass
                case Exited():
                    return
                case other:
                    raise SystemExit(f"the engine could not go on: {other}")
        raise SystemExit(f"the engine has not ended within {LIMIT_S:g} s")
    finally:
        engine.close()


def main() -> None:
    kept = sys.argv[1:] != ["--connect"]
    if shutil.which("valgrind") is None:
        raise SystemExit("no valgrind found: install it (Debian: apt-get install valgrind)")
    try:
        each = (counted(MORE, kept=kept) - counted(FEWER, kept=kept)) / (MORE - FEWER)
    except BuildError as exc:
        raise SystemExit(str(exc)) from exc
    print(f"{each:,.0f} instructions a plain turn{'' if kept else ' with a connection of its own'}")


if __name__ == "__main__":
    main()
