"""Names that a template may use at its position. An unknown name is an error before the run, not an empty text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from scenarios.definition.spec import ScenarioError

SESSION_NAMES: Final = ("id", "number", "user")
LOOP_NAMES: Final = ("index", "index0", "first", "last", "length")
RESERVED: Final = frozenset({"session", "pick", "loop", "answer", "range", "true", "false", "none"})


class Rows(NamedTuple):
    """What a name for a row can be: the fields that each of its values has; None: texts, or not known before."""

    fields: frozenset[str] | None
    at: int = -1
    """For the row of a `repeat`: how many others it stands in."""


_NO_ROWS: Final[Mapping[str, Rows]] = MappingProxyType({})


class Names(NamedTuple):
    variables: frozenset[str]
    pools: frozenset[str]
    in_repeat: bool
    data: Mapping[str, Rows] = _NO_ROWS
    rows: Mapping[str, Rows] = _NO_ROWS
    """What the repeats around this place call their rows."""

    def check(self, root: str, key: str | None, dotted: bool) -> None:
        """Raises ScenarioError if `root`, or `root.key`, cannot be known. `key` is None where it is computed."""
        if root == "pick":
            self._check_pick(key, dotted)
        elif root == "loop":
            if not self.in_repeat:
                raise ScenarioError("`loop` is known only inside a `repeat` step or a `for`")
            self._check_key(root, key, dotted, LOOP_NAMES)
        elif root == "session":
            self._check_key(root, key, dotted, SESSION_NAMES)
        elif root == "data" and self.data:
            self._check_key(root, key, dotted, sorted(self.data))
        elif root not in self.variables and root not in self.rows and root != "answer":
            found = {*self.variables, *self.rows, "answer", "session"}
            known = sorted({*found, *(["pick"] if self.pools else []), *(["data"] if self.data else [])})
            raise ScenarioError(f"{root!r} is not known here: known are {', '.join(known)}")

    def check_path(self, root: str, keys: list[str]) -> None:
        """As `check`, for `root.key.key`: also what a row of data holds. Raises ScenarioError."""
        self.check(root, keys[0] if keys else None, bool(keys))
        if root in self.rows:
            what, rows, keys = root, self.rows[root], keys[:1]
        elif root == "data" and self.data:
            what, rows, keys = f"data.{keys[0]}", self.data[keys[0]], keys[1:2]
        else:
            return
        if keys and rows.fields is not None and keys[0] not in rows.fields:
            known = ", ".join(sorted(rows.fields)) or "none in common"
            raise ScenarioError(f"not every row of `{what}` has {keys[0]!r}: they have {known}")

    def taken(self, name: str) -> bool:
        """Whether `name` means something here that a variable or a row cannot be called."""
        return name in RESERVED or name in self.rows or (name == "data" and bool(self.data))

    def _check_pick(self, key: str | None, dotted: bool) -> None:
        if not self.pools:
            raise ScenarioError("`pick` needs pools, and the scenario has none")
        self._check_key("pick", key, dotted, sorted(self.pools))

    @staticmethod
    def _check_key(root: str, key: str | None, dotted: bool, known: tuple[str, ...] | list[str]) -> None:
        if not dotted or (key is not None and key not in known):
            what = f"`{root}` has no {key!r}" if dotted else f"`{root}` alone is not a value"
            raise ScenarioError(f"{what}: use one of {', '.join(f'{root}.{name}' for name in known)}")
