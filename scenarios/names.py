"""Which names a template may use where it stands. What is not known is an error before the run, not an empty text."""

from __future__ import annotations

from typing import Final, NamedTuple

from scenarios.spec import ScenarioError

SESSION_NAMES: Final = ("id", "number", "user")
LOOP_NAMES: Final = ("index", "index0", "first", "last", "length")
RESERVED: Final = frozenset({"session", "pick", "loop", "answer", "range", "true", "false", "none"})


class Names(NamedTuple):
    variables: frozenset[str]
    pools: frozenset[str]
    in_repeat: bool

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
        elif root not in self.variables and root != "answer":
            known = sorted({*self.variables, "answer", "session", *(["pick"] if self.pools else [])})
            raise ScenarioError(f"{root!r} is not known here: known are {', '.join(known)}")

    def _check_pick(self, key: str | None, dotted: bool) -> None:
        if not self.pools:
            raise ScenarioError("`pick` needs pools, and the scenario has none")
        self._check_key("pick", key, dotted, sorted(self.pools))

    @staticmethod
    def _check_key(root: str, key: str | None, dotted: bool, known: tuple[str, ...] | list[str]) -> None:
        if not dotted or (key is not None and key not in known):
            what = f"`{root}` has no {key!r}" if dotted else f"`{root}` alone is no value"
            raise ScenarioError(f"{what}: use one of {', '.join(f'{root}.{name}' for name in known)}")
