"""Lists of `repeat ... over` and `replay`: lookup, and checks before the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scenarios.definition.data import DataPool
from scenarios.definition.spec import ScenarioError
from scenarios.template.compiler import Getter, Scope, compile_name
from scenarios.template.names import Names

_MISSING: Final = object()


class Lists:
    """Finds lists by their path: a whole pool of data, or the value that a template would find under that name."""

    def __init__(self, pools: Mapping[str, DataPool]) -> None:
        self._pools = pools
        self._rows: dict[str, list[Any] | None] = {}

    def enter(self, row: str, items: list[Any] | None) -> None:
        """From here on `row` is one of `items`; None: not known before the run."""
        self._rows[row] = items

    def find(
        self, path: str, names: Names, check: Callable[[list[Any]], object] | None = None
    ) -> tuple[Getter, list[Any] | None]:
        """What gives the list in a session, and all items that it can have where the data says so.

        `check` raises ScenarioError for a list that does not serve. Raises ScenarioError for the first such, if it
        can be seen, and for a path that leads nowhere.
        """
        if path in self._pools and path not in names.rows and path not in names.variables:
            rows = list(self._pools[path].rows)
            if check is not None:
                check(rows)
            return (lambda _: rows), rows
        get = compile_name(path, names)
        found = self._possible(path, names)
        if found is None:
            return _checked(get, path), None
        for where, value in found:
            try:
                items = _list(value, path)
                if check is not None:
                    check(items)
            except ScenarioError as exc:
                raise ScenarioError(f"{where}: {exc}") from exc
        return get, [item for _, value in found for item in value]

    def _possible(self, path: str, names: Names) -> list[tuple[str, Any]] | None:
        """Every value that `path` can have in a session, with its place."""
        root, *keys = path.split(".")
        if root in names.rows:
            rows, what = self._rows.get(root), root
        elif root == "data" and keys and keys[0] in self._pools:
            what = f"data.{keys[0]}"
            rows, keys = list(self._pools[keys[0]].rows), keys[1:]
        else:
            return None
        return None if rows is None else [(f"{what}, row {n}", _dig(row, keys)) for n, row in enumerate(rows)]


def _dig(value: Any, keys: list[str]) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key, _MISSING)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return _MISSING
    return value


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise ScenarioError(f"`{path}` must be a list that is not empty")
    return list(value)


def _checked(get: Getter, path: str) -> Getter:
    def items(scope: Scope) -> Any:
        return _list(get(scope), path)

    return items
