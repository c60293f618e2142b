"""From ledgers to stored results, whatever failed before: ingest, finalize, reap, recover, delete."""
