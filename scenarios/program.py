"""From ScenarioSpec to a flat program: steps in order, a repeat as two marks around its body.

Every step runs at least once and in order, so walking the steps once knows exactly which variables exist where.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from scenarios.expect import Bind, Check, compile_expect
from scenarios.limits import size_of
from scenarios.names import RESERVED, Names
from scenarios.spec import Expect, Repeat, Say, ScenarioError, ScenarioSpec, Set, Step, Wait
from scenarios.template import Getter, Text, checked, compile_text, compile_value

MAX_DEPTH = 20
"""Repeats inside repeats."""


@dataclass(frozen=True, slots=True)
class SayOp:
    """`constant` is the message if it is always the same. What follows directly as `expect` belongs to it."""

    path: str
    text: Text
    constant: str | None
    answer: Text | None
    scripted: str | None
    checks: tuple[Check, ...]
    binds: tuple[Bind, ...]


@dataclass(frozen=True, slots=True)
class WaitOp:
    path: str
    seconds: float
    per_character_s: float
    max_s: float

    def seconds_before(self, chars: int) -> float:
        """How long to wait before a message of `chars` characters."""
        return min(self.seconds + self.per_character_s * chars, self.max_s)


@dataclass(frozen=True, slots=True)
class SetOp:
    path: str
    name: str
    value: Any
    get: Getter | None


@dataclass(frozen=True, slots=True)
class LoopStart:
    path: str
    times: int


@dataclass(frozen=True, slots=True)
class LoopEnd:
    path: str


Op = SayOp | WaitOp | SetOp | LoopStart | LoopEnd


class Program(NamedTuple):
    ops: tuple[Op, ...]
    constants: dict[str, Any]
    computed: tuple[tuple[str, Getter], ...]
    """Variables to compute at the start of a session, each after those that it uses."""
    system: Text | None

    @property
    def plain(self) -> bool:
        """Whether a session begins with nothing to do."""
        return not self.constants and not self.computed and self.system is None


@contextmanager
def _at(path: str) -> Iterator[None]:
    try:
        yield
    except ScenarioError as exc:
        raise ScenarioError(f"{path}: {exc}") from exc


def compile_program(spec: ScenarioSpec) -> Program:
    """Raises ScenarioError naming the path of what is wrong."""
    for pool, texts in spec.pools.items():
        for number, text in enumerate(texts):
            with _at(f"pools.{pool}[{number}]"):
                checked(text or " ")  # a pool may draw nothing: it is a part of a message
    pools = frozenset(spec.pools)
    constants, computed = _variables(spec, pools)
    compiler = _Compiler(pools, {*constants, *(name for name, _ in computed)})
    with _at("system"):
        system = None if spec.system is None else compile_text(spec.system, compiler.names())
    compiler.add(spec.steps, "steps", 0)
    return Program(tuple(compiler.ops), constants, tuple(computed), system)


def _variables(spec: ScenarioSpec, pools: frozenset[str]) -> tuple[dict[str, Any], list[tuple[str, Getter]]]:
    """Constant and computed variables, these in an order in which each finds what it uses.

    The order is not that of the data: a database may not keep it, and the draws of a session depend on it.
    """
    constants: dict[str, Any] = {}
    computed: list[tuple[str, Getter]] = []
    problems = {name: ScenarioError("") for name in sorted(spec.variables)}
    while problems:
        found = len(problems)
        for name in list(problems):
            known = Names(frozenset({*constants, *(done for done, _ in computed)}), pools, in_repeat=False)
            try:
                get = _variable(name, spec.variables[name], known)
            except ScenarioError as exc:
                problems[name] = exc
                continue
            del problems[name]
            if get is None:
                constants[name] = spec.variables[name]
            else:
                computed.append((name, get))
        if len(problems) == found:
            name, problem = next(iter(problems.items()))
            raise ScenarioError(f"variables.{name}: {problem}") from problem
    return constants, computed


def _variable(name: str, value: Any, names: Names) -> Getter | None:
    if not name.isidentifier() or name in RESERVED:
        raise ScenarioError(f"{name!r} cannot be the name of a variable")
    size_of(value)
    return compile_value(value, names)


class _Compiler:
    """Adds steps to a program; `known` are the variables that exist by then."""

    def __init__(self, pools: frozenset[str], known: set[str]) -> None:
        self.ops: list[Op] = []
        self._pools = pools
        self._known = known
        self._depth = 0

    def names(self) -> Names:
        return Names(frozenset(self._known), self._pools, self._depth > 0)

    def add(self, steps: tuple[Step, ...], path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ScenarioError(f"{path}: repeats may stand {MAX_DEPTH} deep in one another")
        self._depth = depth
        after_say = False
        for number, step in enumerate(steps):
            here = f"{path}[{number}]"
            if isinstance(step, Expect):
                if not after_say:
                    raise ScenarioError(f"{here}: an `expect` step must directly follow its `say` step")
                self._expect(step, here)
                continue
            self._add_one(step, here, depth)
            after_say = isinstance(step, Say)

    def _add_one(self, step: Say | Wait | Set | Repeat, here: str, depth: int) -> None:
        if isinstance(step, Say):
            self.ops.append(self._say(step, here))
        elif isinstance(step, Wait):
            if step.max_s and (step.seconds or step.per_character_s):
                self.ops.append(WaitOp(here, min(step.seconds, step.max_s), step.per_character_s, step.max_s))
        elif isinstance(step, Set):
            self.ops.append(self._set(step, here))
        else:
            self.ops.append(LoopStart(here, step.times))
            self.add(step.steps, f"{here}.steps", depth + 1)
            self._depth = depth
            self.ops.append(LoopEnd(here))

    def _say(self, step: Say, here: str) -> SayOp:
        with _at(f"{here}.text"):
            text = compile_text(step.text, self.names())
        answer = None
        if step.answer is not None:
            with _at(f"{here}.answer"):
                answer = compile_text(step.answer, self.names())
        varies = answer if answer is not None and answer.constant is None else None
        return SayOp(here, text, text.constant, varies, answer and answer.constant, (), ())

    def _expect(self, step: Expect, here: str) -> None:
        say = self.ops[-1]
        assert isinstance(say, SayOp)  # noqa: S101 - `add` lets nothing between
        with _at(here):
            checks, binds = compile_expect(step, self.names())
        self.ops[-1] = SayOp(
            say.path, say.text, say.constant, say.answer, say.scripted, (*say.checks, *checks), (*say.binds, *binds)
        )

    def _set(self, step: Set, here: str) -> SetOp:
        with _at(f"{here}.name"):
            if step.name in RESERVED:
                raise ScenarioError(f"{step.name!r} has a meaning of its own: use another name")
        with _at(f"{here}.value"):
            get = _variable(step.name, step.value, self.names())
        self._known.add(step.name)
        return SetOp(here, step.name, step.value, get)
