"""Executes a scenario: compiled once per engine, executed once per session. Pure: no I/O, no clock.

A scenario becomes a flat program. `repeat` is a counter on a stack and never a list, so that a conversation of
100,000 turns costs what it says and nothing before.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

from attachments.attachment import Attachment
from scenarios.definition.data import counts, rows_for_all
from scenarios.definition.limits import STEP_COST, WORK
from scenarios.definition.spec import ScenarioError, ScenarioSpec, parse_scenario
from scenarios.render.cells import check_cells, check_columns, check_rows
from scenarios.render.expect import Check
from scenarios.render.program import LoopEnd, LoopStart, Op, Program, ReplayOp, SayOp, SetOp, WaitOp, compile_program
from scenarios.render.replay import check_messages
from scenarios.template.compiler import Loop, Scope, bounded

_new_tuple = tuple.__new__


class SayAction(NamedTuple):
    """Send `text`; `number` counts the session's turns from 0."""

    text: str
    number: int
    attachments: tuple[Attachment, ...] = ()


class WaitAction(NamedTuple):
    seconds: float


class CompiledScenario:
    """A scenario ready to be walked by any number of sessions."""

    def __init__(self, spec: ScenarioSpec, program: Program) -> None:
        self.name = spec.name
        self.history = spec.history
        self.pools: Mapping[str, tuple[str, ...]] = spec.pools
        self.program = program
        self.ops: tuple[Op, ...] = program.ops
        self.plain = program.plain
        self.counts = counts(spec.data)
        """Whether it matters which of the scenario's conversations one is: its rows depend on it."""
        self.at_most = rows_for_all(spec.data)
        """Conversations for which there are rows; None: any number."""
        self.number: int | None = None

    def numbered(self, number: int) -> CompiledScenario:
        """The same for its conversation `number`, from 0, in a run that has other scenarios as well: that says which
        rows of data it has. Without it the session's own number does."""
        other = copy(self)
        other.number = number
        return other

    def walk(self, rng: random.Random, session: Mapping[str, Any]) -> Walk:
        """A new conversation. The same `rng` state and session give the same conversation.

        A `session` that is a dict gets the conversation's rows as `data`, so that a target's own templates (a login,
        a header) see them as well. Raises ScenarioError if a variable or the system message cannot be rendered, or
        there is no row left."""
        return Walk(self, rng, session)


class Walk(Scope):
    """One conversation, step by step: call `next_action`, and `answer` after each answered message.

    `messages` and `history` share their items with the walk: serialise them before the next call, do not change them. A
    message that gets no answer is taken out of the history when the next one is said."""

    __slots__ = (
        "_at", "_checks", "_open", "_ops", "_said", "_scenario", "_scripted", "_talk", "_turns", "expect_text",
        "messages",
    )  # fmt: skip

    # Of the last message; each sets them.
    expect_text: frozenset[str] | None
    """Which answers are good; None: what the target says."""
    _scripted: str | None
    _checks: tuple[Check, ...]

    def __init__(self, scenario: CompiledScenario, rng: random.Random, session: Mapping[str, Any]) -> None:
        Scope.__init__(self, rng, session, scenario.pools)  # `super()` makes an object first, for each conversation
        self._scenario = scenario
        self._ops = scenario.ops
        self._at = self._turns = 0
        self._said: SayAction | None = None  # rendered, but a wait goes before it
        self._open = False  # the last message of the log waits for its answer
        self.messages: list[dict[str, Any]] = []  # the history with the message that was just said
        self._talk: Iterator[tuple[str, list[str]]] | None = None  # what is left of a replayed conversation
        if not scenario.plain:
            self._begin(scenario.program)

    def _begin(self, program: Program) -> None:
        self.variables.update(program.constants)
        where = "data"
        try:
            if program.data:
                self.data = self._rows(program)
                if isinstance(self.session, dict):
                    self.session["data"] = self.data
            for name, get in program.computed:
                where = f"variables.{name}"
                self.variables[name] = bounded(get(self), self)
            if program.system is not None:
                where = "system"
                self.messages.append({"role": "system", "content": program.system.of(self)})
        except ScenarioError as exc:
            raise self._failed(where, exc) from exc

    def _rows(self, program: Program) -> dict[str, Any]:
        number = self.session["number"] if self._scenario.number is None else self._scenario.number
        try:
            return {name: pool.row(number, self.rng) for name, pool in program.data}
        except IndexError as exc:
            raise ScenarioError(f"there is no row left for conversation {number} of this scenario") from exc

    def _failed(self, path: str, exc: ScenarioError) -> ScenarioError:
        return ScenarioError(f"scenario {self._scenario.name!r}: {path}: {exc}")

    @property
    def history(self) -> list[dict[str, Any]]:
        """The history without the message that was just said."""
        return self.messages[:-1] if self._open else self.messages

    def next_action(self) -> SayAction | WaitAction | None:
        """What to do next; None when the conversation is over. Raises ScenarioError if a text cannot be rendered."""
        said = self._said
        if said is not None:
            self._said = None
            return self._say(said)
        self.work = WORK
        waits: list[WaitOp] = []
        ops = self._ops
        end = len(ops)
        while (at := self._at) < end:
            op = ops[at]
            self._at = at + 1
            if type(op) is SayOp:
                said = self._prepare(op)
                return self._wait(waits, said) if waits else self._say(said)
            if type(op) is LoopEnd:
                loop = self.loops[-1]
                if loop.index < loop.times:
                    loop.index += 1
                    self._at = loop.start
                else:
                    self.loops.pop()
            elif type(op) is LoopStart:
                self.loops.append(self._loop(op))
            elif type(op) is WaitOp:
                if not waits and op.steady:
                    return WaitAction(op.seconds)
                waits.append(op)
            elif type(op) is ReplayOp:
                if (said := self._recorded(op, waits)) is not None:
                    return self._wait(waits, said) if waits else self._say(said)
            elif type(op) is SetOp:
                self._set(op)
            if self.work >= STEP_COST:
                self.work -= STEP_COST
            else:
                self._overspend(op)
        return self._wait(waits, None) if waits else None

    def _prepare(self, op: SayOp) -> SayAction:
        text = self._render(op) if op.constant is None else op.constant
        said = _new_tuple(SayAction, (text, self._turns, ()))  # half of what calling the class costs, and per turn
        self._turns += 1
        self._checks = op.checks
        self.expect_text = op.expect_text
        self._scripted = op.scripted
        return self._bind(op, said) if op.varies else said

    def _recorded(self, op: ReplayOp, waits: list[WaitOp]) -> SayAction | None:
        """The next message of a replayed conversation, with the wait before it; None after the last."""
        if self._talk is None:
            self._talk = self._begin_talk(op)
        elif op.wait is not None:
            waits.append(op.wait)
        text, answers = next(self._talk, ("", None))
        if answers is None:
            self._talk = None
            if op.wait is not None:
                waits.pop()
            return None
        self._at -= 1  # the step continues with its next message
        self._checks = ()
        self.expect_text = None
        self._scripted = "\n\n".join(answers) if answers else None
        self._turns += 1
        return SayAction(text, self._turns - 1)

    def _begin_talk(self, op: ReplayOp) -> Iterator[tuple[str, list[str]]]:
        try:
            recorded = check_messages(op.messages(self))
        except ScenarioError as exc:
            raise self._failed(op.path, exc) from exc
        if recorded.system:
            if self._open:
                self._open = False
                self.messages.pop()
            self.messages.append({"role": "system", "content": "\n\n".join(recorded.system)})
        return iter(recorded.turns)

    def _say(self, said: SayAction) -> SayAction:
        log = self.messages
        if self._open:
            log.pop()
        self._open = True
        log.append({"role": "user", "content": said.text})
        if said.attachments:
            log[-1]["attachments"] = said.attachments
        return said

    def _wait(self, waits: list[WaitOp], said: SayAction | None) -> WaitAction:
        """One wait for all that stand before a message: each depends on the message's length."""
        self._said = said
        chars = 0 if said is None else len(said.text)
        return WaitAction(sum(op.seconds_before(chars, self) for op in waits))

    def _overspend(self, op: Op) -> None:
        try:
            self.charge(STEP_COST)
        except ScenarioError as exc:
            raise self._failed(op.path, exc) from exc

    def _render(self, op: SayOp) -> str:
        try:
            return op.text.of(self)
        except ScenarioError as exc:
            raise self._failed(f"{op.path}.text", exc) from exc

    def _bind(self, op: SayOp, said: SayAction) -> SayAction:
        """What else depends on the session: attachments, an answer's script and what is expected of it."""
        try:
            if op.attached is not None:
                said = said._replace(attachments=op.attached.of(self))
            if op.answer is not None:
                self._scripted = op.answer.of(self)
            self._checks = (*op.checks, *(bind(self) for bind in op.binds))
        except ScenarioError as exc:
            raise self._failed(op.path, exc) from exc
        return said

    def _set(self, op: SetOp) -> None:
        try:
            self.variables[op.name] = op.value if op.get is None else bounded(op.get(self), self)
        except ScenarioError as exc:
            raise self._failed(f"{op.path}.value", exc) from exc

    def _loop(self, op: LoopStart) -> Loop:
        if op.rows is None:
            return Loop(op.times, self._at)
        try:
            rows = op.rows(self)
        except ScenarioError as exc:
            raise self._failed(f"{op.path}.over", exc) from exc
        return Loop(len(rows), self._at, op.row, rows)

    def answer(self, text: str) -> str | None:
        """Take the reply to the last message; return why it is not as expected, or None. The history gets the reply, or
        with scripted history the scripted one, or with none nothing."""
        self.reply = text
        self._open = False
        mode = self._scenario.history
        if mode == "none":
            self.messages.pop()
        else:
            scripted = self._scripted if mode == "scripted" else None
            self.messages.append({"role": "assistant", "content": text if scripted is None else scripted})
        for check in self._checks:
            if (why := check(text)) is not None:
                return why
        return None


def compile_scenario(spec: ScenarioSpec) -> CompiledScenario:
    """Compile all templates and patterns. Raises ScenarioError that names the step, as in `steps[2].text`."""
    try:
        return CompiledScenario(spec, compile_program(spec))
    except ScenarioError as exc:
        raise ScenarioError(f"scenario {spec.name!r}: {exc}") from exc


def check_scenario(data: Mapping[str, Any], places: Mapping[str, Sequence[str]] | None = None) -> ScenarioSpec:
    """Validate a scenario's data, templates, patterns and rows included; `places` says where the rows of a pool stand.
    Raises ScenarioError."""
    spec = parse_scenario(data)
    check_columns(spec, places or {})
    compiled = compile_scenario(spec)
    check_cells(spec, places or {})
    check_rows(spec, compiled.program, places or {})
    return spec
