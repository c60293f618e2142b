"""`python -m tests.bench.grpc`: how true times are over gRPC, and what a message and a connection cost. No goals.

The mock chatbot has core 1 to itself, but for what stores the ledger; the engine has core 0. The mock stamps a message
before its own library takes it, so that the error found has that library's time in it as well as ours.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from connectors.registry import connector_class
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget
from runs.engine.self_metrics import resident_bytes
from tests.bench.measure import ITL_MS, TOKENS, TTFT_MS, TURN_S
from tests.bench.processes import ROOT, engine_on, pin, run
from tests.bench.tools import LOAD_CORE, SERVER_CORE, SLACK_S, ToolFailed


class Connections(NamedTuple):
    """What one connection costs of CPU and memory."""

    cpu_us: float
    kib: float


@contextmanager
def mock() -> Iterator[str]:
    """Yields the URL of its gRPC face."""
    pace = ("--delay-ms", f"{TTFT_MS:g}", "--itl-ms", f"{ITL_MS:g}", "--tokens", str(TOKENS))
    argv = [sys.executable, "-m", "mock_chatbot", "--port", "0", "--error-rate", "0", "--stamp", "t", *pace]
    child = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=pin(SERVER_CORE))  # noqa: PLW1509 - no threads
    assert child.stdout is not None
    try:
        yield json.loads(child.stdout.readline())["grpc_url"]
    finally:
        child.terminate()
        child.wait(10)
        child.stdout.close()


def burn(url: str, streams: int, turns: int) -> dict[str, Any]:
    """The report of `streams` users who hold `turns` conversations of one turn each, one after another."""
    pids: list[int] = []
    with tempfile.TemporaryDirectory(prefix="token-burn-bench-") as name:
        folder = Path(name)
        report = folder / "report.json"
        argv: list[str | Path] = [
            sys.executable,
            "manage.py",
            "burn",
            "--url",
            url,
            "--preset",
            "generic-grpc",
            "--stream",
        ]
        argv += ["--prompt", "Hello", "--stamp", "t", "--users", str(streams), "--conversations", str(streams * turns)]
        argv += ["--json", report]
        database = f"sqlite:///{folder / 'bench.sqlite3'}"
        env = {"TOKENBURN_VAR_DIR": name, "TOKENBURN_ENV_FILE": "", "DATABASE_URL": database}
        limit_s = turns * TURN_S * 3 + SLACK_S
        with engine_on(LOAD_CORE, lambda: pids[0] if pids else -1) as engines:
            ended = run(argv, core=SERVER_CORE, limit_s=limit_s, env=env, started=pids.append)
        if ended.returncode or not engines:
            raise ToolFailed(f"burn ended with {ended.returncode}: {ended.stderr[-500:]}")
        found: dict[str, Any] = json.loads(report.read_text())
        return found


async def connections(url: str, number: int) -> Connections:
    """Dial `number` of them from this process, as the load lane does."""
    target = CompiledTarget(build_target_spec(name="bench", url=url, preset="generic-grpc"))
    kind = connector_class("grpc")
    first, *made = [kind(target) for _ in range(number + 1)]
    await _connect(first)  # the library's own start, and the method
    cpu_s, size = time.process_time(), resident_bytes()
    for connector in made:
        await _connect(connector)
    cost = Connections((time.process_time() - cpu_s) * 1e6 / number, (resident_bytes() - size) / 1024 / number)
    for connector in (first, *made):
        if (closing := connector.disconnect()) is not None:
            await closing
    return cost


async def _connect(connector: Any) -> None:
    connector.begin({"id": "bench"})
    await connector.connect()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.grpc", description=__doc__)
    parser.add_argument("--streams", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--turns", type=int, default=5, help="turns of each stream (default: %(default)s)")
    arguments = parser.parse_args()
    with mock() as url:
        each = uvloop.run(connections(url, 200))
        report = burn(url, arguments.streams, arguments.turns)
    error, generator = report["metrics"]["arrival_error_ms"], report["generator"]
    rows = {
        f"gRPC, {arguments.streams} streams of {TOKENS} tokens": f"{report['turns']['ok']} turns ok",
        "arrival error p50 / p99, ms": f"{error['p50']:.3f} / {error['p99']:.3f}",
        "ttft p50, ms": f"{report['metrics']['ttft_ms']['p50']:.2f} (the mock waits {TTFT_MS:g})",
        "engine CPU per message, us": f"{generator['cpu_s'] * 1e6 / max(1, error['count']):.0f}",
        "timestamps": generator["timestamps"],
        "a connection: CPU, us / memory, KiB": f"{each.cpu_us:.0f} / {each.kib:.0f}",
        "load of the machine": f"{os.getloadavg()[0]:.1f}",
    }
    for name, value in rows.items():
        sys.stdout.write(f"{name:40} {value}\n")


if __name__ == "__main__":
    main()
