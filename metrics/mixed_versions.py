"""Finds engines whose version of Token-Burn differs from the one that planned the run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

NAMED: Final = 3


def version_words(planned: str, shards: Iterable[Mapping[str, Any]]) -> str:
    """One sentence for people; empty: all versions are equal, or unknown. `shards` are rows with index, host and
    version. Workers older than this record write none."""
    if not planned:
        return ""
    others = [shard for shard in shards if shard["host"] and shard.get("version", "") != planned]
    if not others:
        return ""
    named = ", ".join(map(_engine, others[:NAMED]))
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return f"Token-Burn {planned} planned this run; {named}{more}. Versions may measure and count differently."


def _engine(shard: Mapping[str, Any]) -> str:
    return f"engine {shard['index'] + 1} on {shard['host']} is of {shard.get('version') or 'an earlier version'}"
