"""Summarizes long scenario data as short text for forms and lists, and restores it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHOWN_ROWS: Final = 50
SHOWN_CHARS: Final = 20_000


def folded(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`spec` with the rows of each long pool as one text, as in "5,000 rows, kept as they are"."""
    pools = spec.get("data")
    if not isinstance(pools, Mapping) or not pools:
        return dict(spec)
    return {**spec, "data": {name: _folded(pool) for name, pool in pools.items()}}


def _folded(pool: Any) -> Any:
    rows = pool.get("rows") if isinstance(pool, Mapping) else None
    if not isinstance(rows, list) or (len(rows) <= SHOWN_ROWS and sum(len(str(row)) for row in rows) <= SHOWN_CHARS):
        return pool
    return {**pool, "rows": _mark(rows)}


def unfolded(spec: Any, before: Mapping[str, Any]) -> Any:
    """Restores from `before` what `folded` removed, where its mark is unchanged; everything else is as given."""
    pools, kept = (spec.get("data") if isinstance(spec, Mapping) else None), before.get("data")
    if not isinstance(pools, Mapping) or not isinstance(kept, Mapping):
        return spec
    return {**spec, "data": {name: _unfolded(pool, kept.get(name)) for name, pool in pools.items()}}


def _unfolded(pool: Any, before: Any) -> Any:
    rows = before.get("rows") if isinstance(before, Mapping) else None
    if not isinstance(rows, list) or not isinstance(pool, Mapping) or pool.get("rows") != _mark(rows):
        return pool
    return {**pool, "rows": rows}


def _mark(rows: list[Any]) -> str:
    return f"{len(rows):,} rows, kept as they are"
