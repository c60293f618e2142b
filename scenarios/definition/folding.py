"""Summarizes long scenario data as short text for forms and lists, and restores it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHOWN_ROWS: Final = 50
SHOWN_CHARS: Final = 20_000


def folded(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`spec` with the rows of each long pool, and each long file, as one text: "5,000 rows, kept as they are"."""
    found = dict(spec)
    for part, fold in (("data", _folded), ("files", _folded_file)):
        if isinstance(inside := spec.get(part), Mapping) and inside:
            found[part] = {name: fold(one) for name, one in inside.items()}
    return found


def _folded(pool: Any) -> Any:
    rows = pool.get("rows") if isinstance(pool, Mapping) else None
    if not isinstance(rows, list) or (len(rows) <= SHOWN_ROWS and sum(len(str(row)) for row in rows) <= SHOWN_CHARS):
        return pool
    return {**pool, "rows": _mark(rows)}


def unfolded(spec: Any, before: Mapping[str, Any]) -> Any:
    """Restores from `before` what `folded` removed, where its mark is unchanged; everything else is as given."""
    if not isinstance(spec, Mapping):
        return spec
    found = dict(spec)
    for part, unfold in (("data", _unfolded), ("files", _unfolded_file)):
        inside, kept = spec.get(part), before.get(part)
        if isinstance(inside, Mapping) and isinstance(kept, Mapping):
            found[part] = {name: unfold(one, kept.get(name)) for name, one in inside.items()}
    return found


def _unfolded(pool: Any, before: Any) -> Any:
    rows = before.get("rows") if isinstance(before, Mapping) else None
    if not isinstance(rows, list) or not isinstance(pool, Mapping) or pool.get("rows") != _mark(rows):
        return pool
    return {**pool, "rows": rows}


def _folded_file(file: Any) -> Any:
    text = file.get("base64") if isinstance(file, Mapping) else None
    return {**file, "base64": _mark_of_file(text)} if isinstance(text, str) and len(text) > SHOWN_CHARS else file


def _unfolded_file(file: Any, before: Any) -> Any:
    text = before.get("base64") if isinstance(before, Mapping) else None
    if not isinstance(text, str) or not isinstance(file, Mapping) or file.get("base64") != _mark_of_file(text):
        return file
    return {**file, "base64": text}


def _mark_of_file(text: str) -> str:
    return f"{len(text):,} characters, kept as they are"


def _mark(rows: list[Any]) -> str:
    return f"{len(rows):,} rows, kept as they are"
