"""`python -m tests.support.ingest_child SHARD CHUNK_BYTES`: stores the shard's ledger, a line of output per batch."""

from __future__ import annotations

import sys

import django

django.setup()

from runs import ingest
from runs.models import Shard


def main(shard_id: int, chunk_bytes: int) -> None:
    ingest.CHUNK_BYTES = chunk_bytes
    ledger = ingest.LedgerIngest(Shard.objects.get(pk=shard_id))
    while (batch := ledger.step()) is not None:
        sys.stdout.write(f"{batch.end_offset}\n")
        sys.stdout.flush()
    sys.stdout.write("end\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
