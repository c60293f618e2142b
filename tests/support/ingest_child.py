"""`python -m tests.support.ingest_child SHARD CHUNK_BYTES`: for each line read, a process that stores the ledger.

It says its number, a line per batch, and `end`; its parent, which sets up Django once, then says `exit CODE`.
"""

from __future__ import annotations

import os
import sys

import django

django.setup()

from runs.completion import ingest
from runs.models import Shard


def main(shard_id: int, chunk_bytes: int) -> None:
    ingest.CHUNK_BYTES = chunk_bytes
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            store(shard_id)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        say(f"exit {os.waitstatus_to_exitcode(status)}")


def store(shard_id: int) -> None:
    say(str(os.getpid()))
    ledger = ingest.LedgerIngest(Shard.objects.get(pk=shard_id))
    while (batch := ledger.step()) is not None:
        say(str(batch.end_offset))
    say("end")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
