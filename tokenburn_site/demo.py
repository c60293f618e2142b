"""`make demo`: runs 15 s of load against the mock chatbot and compares our count with its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import requests

from tokenburn_site.local.process_groups import ProcessGroups

ROOT = Path(__file__).resolve().parent.parent
SCENARIO, USERS, DURATION = "rapid-fire", 50, "15s"


class Row(NamedTuple):
    what: str
    ours: int
    mocks: int


def compare(report: dict[str, Any], counted: dict[str, Any]) -> list[Row]:
    """Our report's turns, including the witness's, beside the mock's counts."""
    turns = report["turns"]
    witness = report["witness"] or {"turns": {"sent": 0, "ok": 0, "error": 0}, "tokens": {"output": 0}}
    beside = witness["turns"]
    return [
        Row("requests", turns["sent"] + beside["sent"], counted["chat_requests"]),
        Row("answered", turns["ok"] + beside["ok"], counted["answers"]),
        Row("answered with an error", turns["error"] + beside["error"], counted["errors"]),
        Row("output tokens", report["tokens"]["output"] + witness["tokens"]["output"], counted["output_tokens"]),
    ]


def start_mock(processes: ProcessGroups) -> str:
    """The mock's address. Raises RuntimeError if it does not print one."""
    mock = processes.start((sys.executable, "-m", "mock_chatbot", "--port", "0"), cwd=ROOT, stdout=subprocess.PIPE)
    line = mock.stdout.readline() if mock.stdout else b""
    if not line:
        raise RuntimeError(f"the mock chatbot ended with code {mock.wait()}")
    return str(json.loads(line)["url"])


def burn(url: str, result: Path) -> int:
    """The command's exit code. It prints to the terminal and writes to `result`."""
    what = ["--url", f"{url}/v1", "--preset", "openai-chat", "--stream", "--scenario", SCENARIO]
    load = ["--users", str(USERS), "--duration", DURATION, "--json", str(result)]
    argv = ["manage.py", "burn", *what, *load]
    print(f"$ python {' '.join(argv)}", flush=True)
    return subprocess.call([sys.executable, *argv], cwd=ROOT)


def main() -> int:
    result = Path(os.environ.get("TOKENBURN_VAR_DIR", ROOT / "var")).resolve() / "demo.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    with ProcessGroups() as processes:
        url = start_mock(processes)
        if code := burn(url, result):
            return code
        counted = requests.get(f"{url}/__stats", timeout=10).json()
    rows = compare(json.loads(result.read_text(encoding="utf-8")), counted)
    print(f"\n{'Who counted what':<24}{'Token-Burn':>12}{'the mock':>12}")
    for row in rows:
        print(f"{row.what:<24}{row.ours:>12}{row.mocks:>12}{'' if row.ours == row.mocks else '   differ'}")
    agree = all(row.ours == row.mocks for row in rows)
    print("The counts agree." if agree else "The counts do NOT agree: that is a bug in Token-Burn.")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
