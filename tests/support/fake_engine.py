"""An engine that misbehaves in one way, named by its first argument: what a supervisor must survive.

mute: never ready. leave: ends in order after 3 s, as one that hears nothing does. fatal: refuses its order.
crash: dies before it is ready. full: refuses after `go`.
deaf: opens one session after `go`, then ignores stop and end of input. slow: does nothing until it is stopped.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

ORDER = json.loads(sys.stdin.readline())


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def await_command(name: str) -> dict[str, Any]:
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        if command["cmd"] == name:
            return command
        if command["cmd"] == "stop":
            break
    sys.exit(0)


def write_ledger() -> int:
    """A head and one session that never ends; the lock is held as long as we live."""
    path = Path(ORDER["ledger_path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    head = {
        "k": "head", "v": 1, "run": ORDER["run_id"], "shard": ORDER["shard_id"], "index": ORDER["index"],
        "of": ORDER["of"], "id_base": ORDER["id_base"], "t0_mono_ns": 0, "t0_wall_ns": time.time_ns(),
        "timestamps": "user", "host": "h", "pid": os.getpid(),
    }  # fmt: skip
    opened = {"k": "open", "id": ORDER["id_base"], "user": 0, "scenario": "talk", "at": 0}
    os.write(fd, "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (head, opened)).encode())
    return fd


def main(mode: str) -> None:
    if mode == "crash":
        sys.exit(f"no luck with {ORDER['target']['secrets']['api_key']}")
    if mode == "fatal":
        say(ev="fatal", code="order_invalid", message="what is this", advice="give another")
        sys.exit(3)
    if mode == "leave":
        time.sleep(3.0)
        sys.exit(0)
    if mode == "mute":
        await_command("never")
    say(ev="ready", pid=os.getpid(), timestamps="user")
    await_command("go")
    if mode == "slow":
        await_command("never")
    if mode == "full":
        say(ev="fatal", code="ledger_failed", message="no space", advice="free space on its disk")
        sys.exit(3)
    write_ledger()
    while True:
        time.sleep(60)


main(sys.argv[1])
