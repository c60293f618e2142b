"""The template language beyond plain names: a small, bounded part of Jinja2 in its immutable sandbox.

A scenario may come from anyone, and it runs inside the engine. So the language is a list of what is allowed:
expressions, filters, `{% if %}` and `{% for %}`. There are no calls but `range()`, no attributes but the keys of
objects, and every operation is charged to a budget before its result exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final, Protocol, runtime_checkable

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bounds.templates import Absent, bounded_number, bounded_range, check_operands, kind_of
from scenarios.definition.limits import STEP_COST, size_of
from scenarios.definition.spec import ScenarioError
from scenarios.template.filters import DRAWING, FILTERS, TESTS, as_text

SCOPE_KEY: Final = " scope"
"""Where a template's context keeps who pays: not a name that a template can write."""
_LOOP_NAMES = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"})


class Payer(Protocol):
    """Whoever renders: `work` is what it may still spend until its next message, `rng` what it draws from."""

    work: int
    rng: Random

    def charge(self, cost: int) -> None:
        """Raises ScenarioError when the budget is spent."""


@runtime_checkable
class Drawer(Protocol):
    """The value of `pick`."""

    def draw(self, pool: str) -> str: ...


def _payer(context: Context) -> Payer:
    payer: Payer = context[SCOPE_KEY]
    return payer


class Sandbox(ImmutableSandboxedEnvironment):
    """Looks up keys and never attributes; operators take plain values only and are bounded."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            str(obj)  # raises, naming what is undefined
        if isinstance(obj, LoopContext):
            return getattr(obj, argument) if argument in _LOOP_NAMES else self.undefined(obj=obj, name=argument)
        if isinstance(obj, Drawer):
            return obj.draw(argument)
        key = (
            int(argument)
            if isinstance(argument, str) and argument.isdecimal() and not isinstance(obj, Mapping)
            else argument
        )
        if isinstance(obj, Mapping | list | tuple | str):
            try:
                return obj[key]
            except (LookupError, TypeError):
                pass
        return self.undefined(f"{kind_of(obj)} has no {argument!r}")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises, naming what is undefined
        check_operands(operator, left, right)
        result = super().call_binop(context, operator, left, right)
        bounded_number(result)
        _payer(context).charge(1 if isinstance(result, int | float) else size_of(result))
        return result


@pass_context
def _each(context: Context, values: Any, cost: int) -> Iterator[Any]:
    """What every `{% for %}` iterates over: only plain collections, each round charged."""
    if isinstance(values, Undefined):
        str(values)  # raises, naming what is undefined
    if not isinstance(values, Sequence | Mapping):
        raise ScenarioError(f"`for` does not work on {kind_of(values)}")
    return _charged(_payer(context), values, STEP_COST + cost)


def _charged(payer: Payer, values: Sequence[Any] | Mapping[Any, Any], cost: int) -> Iterator[Any]:
    for value in values:
        payer.charge(cost)
        yield value


def _guarded(name: str) -> Any:
    function, draws = FILTERS.get(name) or DRAWING[name], name in DRAWING

    @pass_context
    def run(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, Undefined) and name != "default":
            str(value)  # raises, naming what is undefined
        payer = _payer(context)
        if isinstance(value, Sequence | Mapping):
            payer.charge(len(value))
        result = function(payer.rng, value, *args, **kwargs) if draws else function(value, *args, **kwargs)
        bounded_number(result)
        payer.charge(size_of(result))
        return result

    return run


def _sandbox() -> Sandbox:
    # `{#` stays what it is: it stands in real texts (LaTeX, Ruby), and a scenario has no need of comments.
    env = Sandbox(
        undefined=Absent,
        keep_trailing_newline=True,
        comment_start_string="{#\x00",
        comment_end_string="\x00#}",
        finalize=as_text,
        optimized=False,
    )
    env.filters = {name: _guarded(name) for name in (*FILTERS, *DRAWING)} | {"_each": _each}
    env.tests = dict(TESTS)
    env.globals = {"range": bounded_range}
    return env


ENV: Final = _sandbox()
