"""Summarizes long scenario data as short text for forms and lists, and restores it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

SHOWN_ROWS: Final = 50
SHOWN_CHARS: Final = 20_000


def folded(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`spec` with the rows of each long pool, and each long file, as one text: "5,000 rows, kept as they are"."""
    found = dict(spec)
    for part, (field, mark_of) in _LONG.items():
        if isinstance(inside := spec.get(part), Mapping):
            found[part] = {name: _folded(one, field, mark_of) for name, one in inside.items()}
    return found


def _folded(one: Any, field: str, mark_of: Mark) -> Any:
    mark = mark_of(one.get(field)) if isinstance(one, Mapping) else None
    return one if mark is None else {**one, field: mark}


def unfolded(spec: Any, before: Mapping[str, Any]) -> Any:
    """Restores from `before` what `folded` removed, where its mark is unchanged; everything else is as given."""
    if not isinstance(spec, Mapping):
        return spec
    found = dict(spec)
    for part, (field, mark_of) in _LONG.items():
        inside, kept = spec.get(part), before.get(part)
        if isinstance(inside, Mapping) and isinstance(kept, Mapping):
            found[part] = {name: _unfolded(one, kept.get(name), field, mark_of) for name, one in inside.items()}
    return found


def _unfolded(one: Any, before: Any, field: str, mark_of: Mark) -> Any:
    if not isinstance(one, Mapping) or not isinstance(before, Mapping):
        return one
    mark = mark_of(before.get(field))
    return one if mark is None or one.get(field) != mark else {**one, field: before[field]}


def _mark_of_rows(rows: Any) -> str | None:
    """None: they are short, or none."""
    if not isinstance(rows, list) or (len(rows) <= SHOWN_ROWS and sum(len(str(row)) for row in rows) <= SHOWN_CHARS):
        return None
    return f"{len(rows):,} rows, kept as they are"


def _mark_of_text(text: Any) -> str | None:
    if not isinstance(text, str) or len(text) <= SHOWN_CHARS:
        return None
    return f"{len(text):,} characters, kept as they are"


Mark = Callable[[Any], str | None]
_LONG: Final[dict[str, tuple[str, Mark]]] = {"data": ("rows", _mark_of_rows), "files": ("base64", _mark_of_text)}
"""By part of a spec: the field of each of its entries that may be long, and its mark."""
