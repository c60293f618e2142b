"""`python -m tests.bench.transports`: one scenario over five transports, `manage.py burn` five times, one table.

The mock chatbot answers with the same texts at the same pace over each, so that what differs is the transport and
what its client costs. The witness of each run has held the same conversation on stock libraries.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import ROOT
from tests.support.processes import Mock, child_env, mock_chatbot
from tokenburn_site.local.process_groups import ProcessGroups

PACE = (
    "--socketio",
    "--delay-ms",
    "50",
    "--itl-ms",
    "10",
    "--tokens",
    "30",
    "--error-rate",
    "0",
    "--stamp",
    "t",
    "--seed",
    "1",
)
SHOWN = ("ttfb_ms", "ttft_ms", "e2e_ms")


class Transport(NamedTuple):
    name: str
    preset: str
    flags: tuple[str, ...] = ()
    stamp: str = "t"

    def url(self, mock: Mock) -> str:
        return {
            "generic-json": f"{mock.url}/chat",
            "generic-websocket": f"{mock.url.replace('http', 'ws')}/ws",
            "generic-socketio": mock.url,
            "generic-grpc": mock.grpc_url,
        }[self.preset]


TRANSPORTS = (
    Transport("HTTP", "generic-json"),
    Transport("SSE", "generic-json", ("--stream",)),
    Transport("WebSocket", "generic-websocket"),
    Transport("gRPC", "generic-grpc", ("--stream",)),
    Transport("Socket.IO", "generic-socketio", ("--stream",), "data.t"),
)


def burn(transport: Transport, mock: Mock, users: int, seconds: int, folder: Path) -> dict[str, Any]:
    """The run's report."""
    path = folder / f"{transport.preset}{len(transport.flags)}.json"
    argv = [sys.executable, "manage.py", "burn", "--url", transport.url(mock), "--preset", transport.preset]
    argv += [*transport.flags, "--scenario", "rapid-fire", "--users", str(users), "--duration", f"{seconds}s"]
    argv += ["--stamp", transport.stamp, "--seed", "1", "--json", str(path)]
    env = child_env() | {"TOKENBURN_VAR_DIR": str(folder), "TOKENBURN_ENV_FILE": "", "DATABASE_URL": ""}
    subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def row(name: str, report: dict[str, Any]) -> str:
    metrics, turns, witness = report["metrics"], report["turns"], report["witness"]
    cells = [name, f"{turns['ok']:,} of {turns['sent']:,}"]
    cells += [f"{metrics[metric]['p50']:.1f} / {metrics[metric]['p99']:.1f}" for metric in SHOWN]
    error = metrics["arrival_error_ms"]
    cells.append(f"{error['p50']:.3f} / {error['p99']:.3f}" if error["count"] else "-")
    cells.append(f"{report['generator']['cpu_us_per_turn']:,.0f}")
    cells.append(f"{witness['metrics']['e2e_ms']['p50']:.1f}" if witness else "-")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.transports", description=__doc__)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=12)
    arguments = parser.parse_args()
    heads = ["transport", "turns ok", *(f"{name} p50 / p99" for name in SHOWN)]
    heads += ["arrival error p50 / p99, ms", "CPU a turn, us", "witness e2e_ms p50"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    with ProcessGroups() as family, tempfile.TemporaryDirectory(prefix="token-burn-transports-") as name:
        folder = Path(name)
        with mock_chatbot(family, *PACE, log=folder / "mock.log") as mock:
            for transport in TRANSPORTS:
                print(
                    row(transport.name, burn(transport, mock, arguments.users, arguments.seconds, folder)), flush=True
                )


if __name__ == "__main__":
    main()
