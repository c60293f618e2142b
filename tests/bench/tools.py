"""Each tool against a running truth server: Token-Burn by its command, k6 and Locust by theirs."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tests.bench.processes import ROOT, Finished, engine_on, run
from tests.bench.truth import Truth

HERE = Path(__file__).parent
PEERS = Path(os.environ.get("BENCH_VENV", ROOT / ".venv-bench")) / "bin"
SERVER_CORE, LOAD_CORE = 1, 0
Over = Literal["SSE", "WebSocket", "Socket.IO", "HTTP/2"]
"""What carries the answers of a run of ours."""
STREAMS_EACH = 50
"""Over HTTP/2, on a connection."""
SLACK_S = 90.0
"""For start and end of a tool, beside the time of its load."""


class PeerRun(NamedTuple):
    """What another tool says it made, and the CPU that it took, its start included."""

    requests: int
    cpu_s: float


class ToolFailed(RuntimeError):
    """A tool ended badly; the message has its last words."""


@dataclass(frozen=True)
class Burned:
    """What a run of Token-Burn says and stored: its report, and the ids of its turns in ledger and database."""

    report: dict[str, Any]
    ledger_ids: frozenset[int]
    row_ids: frozenset[int]
    chunks: int
    tokens: int


def k6(server: Truth, users: int, seconds: float, *, reads: bool) -> PeerRun:
    with _folder() as folder:
        summary = folder / "summary.json"
        argv: list[str | Path] = [
            PEERS / "k6",
            "run",
            "--quiet",
            "--no-usage-report",
            "--no-color",
            "--address",
            "127.0.0.1:0",
        ]
        argv += ["--vus", str(users), "--duration", f"{seconds:g}s", "--summary-export", summary, HERE / "k6.js"]
        env = {"BASE_URL": server.base_url, "GOMAXPROCS": "1", "READ": "1" if reads else ""}
        ended = _checked(run(argv, core=LOAD_CORE, limit_s=seconds + SLACK_S, env=env), "k6")
        made = json.loads(summary.read_text())["metrics"]["http_reqs"]["count"]
        return PeerRun(int(made), ended.cpu_s)


def locust(server: Truth, users: int, seconds: float) -> PeerRun:
    argv: list[str | Path] = [PEERS / "locust", "-f", HERE / "locustfile.py", "--headless", "--json", "--skip-log"]
    argv += ["-u", str(users), "-r", str(users), "-t", f"{seconds:g}s", "--host", server.base_url.removesuffix("/v1")]
    ended = _checked(run(argv, core=LOAD_CORE, limit_s=seconds + SLACK_S), "Locust")
    made = sum(int(entry["num_requests"]) for entry in json.loads(ended.stdout))
    return PeerRun(made, ended.cpu_s)


def burn(server: Truth, *options: str, limit_s: float, over: Over = "SSE", turns: int = 1) -> Burned:
    """`manage.py burn` in a directory of its own: the engine on the load generator's core, all else on the server's.

    `turns` of each conversation; over WebSocket and Socket.IO they have one connection.
    """
    url, preset, stamp = {
        "SSE": (server.base_url, "openai-chat", "t"),
        "WebSocket": (server.websocket_url, "generic-websocket", "t"),
        "Socket.IO": (server.root_url, "generic-socketio", "data.t"),
        "HTTP/2": (server.base_url, "openai-chat", "t"),
    }[over]
    pids: list[int] = []
    with _folder() as folder, engine_on(LOAD_CORE, lambda: pids[0] if pids else -1) as engines:
        report = folder / "report.json"
        argv: list[str | Path] = [sys.executable, "manage.py", "burn", "--url", url, "--preset", preset]
        scenario = folder / "scenario.json"
        scenario.write_text(json.dumps(_scenario(turns)))
        if over == "HTTP/2":
            overrides = folder / "overrides.json"
            overrides.write_text(json.dumps({"http": {"version": "2", "streams_per_connection": STREAMS_EACH}}))
            argv += ["--overrides", overrides]
        argv += ["--scenario", scenario, "--stamp", stamp, "--no-witness", "--json", report, *options]
        env = {"TOKENBURN_VAR_DIR": str(folder), "TOKENBURN_ENV_FILE": "", "DATABASE_URL": _database(folder)}
        limit_s += SLACK_S
        _checked(run(argv, core=SERVER_CORE, limit_s=limit_s, env=env, started=pids.append), "burn")
        if not engines:
            raise ToolFailed("burn's engine was never seen, so that it ran on the server's core: nothing was measured")
        return _burned(folder, json.loads(report.read_text()))


def _scenario(turns: int) -> dict[str, Any]:
    repeated = {"do": "repeat", "times": turns, "steps": [{"do": "say", "text": "Hello"}]}
    return {"name": "bench", "history": "none", "steps": [repeated]}


def _burned(folder: Path, report: dict[str, Any]) -> Burned:
    ledger_ids: set[int] = set()
    chunks = tokens = 0
    for ledger in folder.rglob("*.jsonl"):
        with ledger.open("rb") as lines:
            for turn in (json.loads(line) for line in lines if line.startswith(b'{"k":"turn"')):
                ledger_ids.add(turn["id"])
                chunks += turn["chunks"]
                tokens += turn["to"] or 0
    with closing(sqlite3.connect(folder / "bench.sqlite3")) as database:
        rows = database.execute("SELECT id FROM metrics_sessionmetric").fetchall()
    return Burned(report, frozenset(ledger_ids), frozenset(row[0] for row in rows), chunks, tokens)


def _database(folder: Path) -> str:
    return f"sqlite:///{folder / 'bench.sqlite3'}"


def _checked(ended: Finished, name: str) -> Finished:
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-8:]
        raise ToolFailed(f"{name} ended with {ended.returncode}:\n  " + "\n  ".join(said))
    return ended


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="token-burn-bench-") as name:
        yield Path(name)
