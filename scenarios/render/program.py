"""Compiles ScenarioSpec to a flat program: steps in order, a repeat as two marks around its body.

Every step runs at least once and in order, so walking the steps once knows exactly which variables exist where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from scenarios.definition.data import DataPool, fields_of
from scenarios.definition.files import FileSpec
from scenarios.definition.limits import size_of
from scenarios.definition.spec import Expect, Repeat, Replay, Say, ScenarioError, ScenarioSpec, Set, Step, Wait
from scenarios.definition.spread import Spread, at_pace_s
from scenarios.render.attached import Attached, check_made
from scenarios.render.expect import Bind, Check, compile_expect
from scenarios.render.lists import Lists
from scenarios.render.replay import check_messages
from scenarios.template.compiler import Getter, Scope, Text, checked, compile_text, compile_value
from scenarios.template.names import Names, Rows

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
    expect_text: frozenset[str] | None = None
    attached: Attached | None = None
    varies: bool = field(init=False)
    """Whether more than the text depends on the session."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "varies", bool(self.binds) or self.answer is not None or self.attached is not None)


@dataclass(frozen=True, slots=True)
class WaitOp:
    path: str
    seconds: float
    per_character_s: float
    max_s: float
    pause_s: Spread | None = None
    reading_wpm: float | None = None
    steady: bool = False
    """Always `seconds`, whatever is said."""

    def seconds_before(self, chars: int, scope: Scope) -> float:
        """How long to wait before a message of `chars` characters."""
        total_s = self.seconds + self.per_character_s * chars
        if self.pause_s is not None:
            total_s += self.pause_s.draw(scope.rng)
        if self.reading_wpm is not None and scope.reply:
            total_s += at_pace_s(len(scope.reply), self.reading_wpm)
        return min(total_s, self.max_s)


@dataclass(frozen=True, slots=True)
class SetOp:
    path: str
    name: str
    value: Any
    get: Getter | None


@dataclass(frozen=True, slots=True)
class LoopStart:
    """`rows` gives the items of its loop, under the name `row`; None: it only counts to `times`."""

    path: str
    times: int
    rows: Getter | None = None
    row: str = ""


@dataclass(frozen=True, slots=True)
class LoopEnd:
    path: str


@dataclass(frozen=True, slots=True)
class ReplayOp:
    path: str
    messages: Getter
    wait: WaitOp | None


Op = SayOp | WaitOp | SetOp | LoopStart | LoopEnd | ReplayOp


class Program(NamedTuple):
    ops: tuple[Op, ...]
    constants: dict[str, Any]
    computed: tuple[tuple[str, Getter], ...]
    """Variables to compute at the start of a session, each after those that it uses."""
    system: Text | None
    data: tuple[tuple[str, DataPool], ...] = ()
    """Sorted by name, so that a session's draws do not depend on the order in a file or database."""

    @property
    def plain(self) -> bool:
        """Whether a session begins with nothing to do."""
        return not self.constants and not self.computed and self.system is None and not self.data


def _wait(step: Wait, here: str) -> WaitOp | None:
    """None for no wait at all."""
    per_character_s = step.per_character_s + at_pace_s(1, step.typing_wpm)
    varies = step.pause_s is not None or step.reading_wpm is not None or per_character_s > 0
    if not step.max_s or not (step.seconds or varies):
        return None
    seconds = min(step.seconds, step.max_s)
    return WaitOp(here, seconds, per_character_s, step.max_s, step.pause_s, step.reading_wpm, not varies)


def _is_done_once(step: Repeat) -> bool:
    """Whether its steps can be taken as if they stood outside: once, and no template among them names `loop`."""
    return step.over is None and (step.times or 1) == 1 and "loop" not in step.model_dump_json()


@contextmanager
def _at(path: str) -> Iterator[None]:
    try:
        yield
    except ScenarioError as exc:
        raise ScenarioError(f"{path}: {exc}") from exc


def compile_program(spec: ScenarioSpec) -> Program:
    """Raises ScenarioError naming the path of the error."""
    for pool, texts in spec.pools.items():
        for number, text in enumerate(texts):
            with _at(f"pools.{pool}[{number}]"):
                checked(text or " ")  # a pool may draw nothing: it is a part of a message
    data = {name: Rows(fields_of(pool.rows)) for name, pool in spec.data.items()}
    names = Names(frozenset(), frozenset(spec.pools), in_repeat=False, data=data)
    constants, computed = _variables(spec, names)
    compiler = _Compiler(names, {*constants, *(name for name, _ in computed)}, Lists(spec.data), spec.files)
    with _at("system"):
        system = None if spec.system is None else compile_text(spec.system, compiler.names())
    compiler.add(spec.steps, "steps", 0)
    check_made(op.attached for op in compiler.ops if isinstance(op, SayOp))
    return Program(tuple(compiler.ops), constants, tuple(computed), system, tuple(sorted(spec.data.items())))


def _variables(spec: ScenarioSpec, names: Names) -> tuple[dict[str, Any], list[tuple[str, Getter]]]:
    """Constant and computed variables, these in an order in which each finds what it uses.

    The order is not that of the data: a database may not keep it, and the draws of a session depend on it.
    """
    constants: dict[str, Any] = {}
    computed: list[tuple[str, Getter]] = []
    problems = {name: ScenarioError("") for name in sorted(spec.variables)}
    while problems:
        found = len(problems)
        for name in list(problems):
            known = names._replace(variables=frozenset({*constants, *(done for done, _ in computed)}))
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
    if not name.isidentifier() or names.taken(name):
        raise ScenarioError(f"{name!r} cannot be the name of a variable")
    size_of(value)
    return compile_value(value, names)


class _Compiler:
    """Adds steps to a program; `known` are the variables that exist by then."""

    def __init__(self, names: Names, known: set[str], lists: Lists, files: Mapping[str, FileSpec]) -> None:
        self._files = files
        self.ops: list[Op] = []
        self._names = names
        self._known = known
        self._lists = lists
        self._rows: dict[str, Rows] = {}
        self._depth = 0

    def names(self) -> Names:
        return self._names._replace(variables=frozenset(self._known), in_repeat=self._depth > 0, rows=dict(self._rows))

    def add(self, steps: tuple[Step, ...], path: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ScenarioError(f"{path}: repeats may be nested at most {MAX_DEPTH} deep")
        self._depth = depth
        after_say = False
        for number, step in enumerate(steps):
            here = f"{path}[{number}]"
            if isinstance(step, Expect):
                if not after_say or not isinstance(say := self.ops[-1], SayOp):
                    raise ScenarioError(f"{here}: an `expect` step must directly follow its `say` step")
                self._expect(step, say, here)
                continue
            self._add_one(step, here, depth)
            after_say = isinstance(step, Say)

    def _add_one(self, step: Say | Wait | Set | Repeat | Replay, here: str, depth: int) -> None:
        if isinstance(step, Say):
            self.ops.append(self._say(step, here))
        elif isinstance(step, Wait):
            if (wait := _wait(step, here)) is not None:
                self.ops.append(wait)
        elif isinstance(step, Set):
            self.ops.append(self._set(step, here))
        elif isinstance(step, Replay):
            self.ops.append(self._replay(step, here))
        else:
            self._repeat(step, here, depth)

    def _repeat(self, step: Repeat, here: str, depth: int) -> None:
        if _is_done_once(step):
            self.add(step.steps, f"{here}.steps", depth + 1)
            self._depth = depth
            return
        outer = dict(self._rows)
        if step.over is None:
            self.ops.append(LoopStart(here, step.times or 1))
        else:
            with _at(f"{here}.over"):
                get, items = self._lists.find(step.over, self.names())
            with _at(f"{here}.row"):
                if self.names().taken(step.row) or step.row in self._known:
                    raise ScenarioError(f"{step.row!r} is reserved: give the row another name")
            self.ops.append(LoopStart(here, 0, get, step.row))
            self._rows[step.row] = Rows(None if items is None else fields_of(items), depth)
            self._lists.enter(step.row, items)
        self.add(step.steps, f"{here}.steps", depth + 1)
        self._rows = outer
        self._depth = depth
        self.ops.append(LoopEnd(here))

    def _replay(self, step: Replay, here: str) -> ReplayOp:
        with _at(f"{here}.messages"):
            get, _ = self._lists.find(step.messages, self.names(), check_messages)
        wait = Wait(per_character_s=step.per_character_s, max_s=step.max_s)
        return ReplayOp(here, get, _wait(wait, here))

    def _say(self, step: Say, here: str) -> SayOp:
        with _at(f"{here}.text"):
            text = compile_text(step.text, self.names())
        answer = None
        if step.answer is not None:
            with _at(f"{here}.answer"):
                answer = compile_text(step.answer, self.names())
        varies = answer if answer is not None and answer.constant is None else None
        expects = None if step.expect_text is None else frozenset(step.expect_text)
        attached = None
        if step.attachments:
            attached = Attached(step.attachments, self._files, self.names(), f"{here}.attachments")
        return SayOp(here, text, text.constant, varies, answer and answer.constant, (), (), expects, attached)

    def _expect(self, step: Expect, say: SayOp, here: str) -> None:
        with _at(here):
            checks, binds = compile_expect(step, self.names())
        self.ops[-1] = replace(say, checks=(*say.checks, *checks), binds=(*say.binds, *binds))

    def _set(self, step: Set, here: str) -> SetOp:
        with _at(f"{here}.name"):
            if self.names().taken(step.name):
                raise ScenarioError(f"{step.name!r} is reserved: use another name")
        with _at(f"{here}.value"):
            get = _variable(step.name, step.value, self.names())
        self._known.add(step.name)
        return SetOp(here, step.name, step.value, get)
