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

from scenarios.definition.limits import INT_BITS, MAX_CHARS, STEP_COST, size_of
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
        key = int(argument) if isinstance(argument, str) and argument.isdecimal() and not _keyed(obj) else argument
        if isinstance(obj, Mapping | list | tuple | str):
            try:
                return obj[key]
            except (LookupError, TypeError):
                pass
        return self.undefined(f"{_kind(obj)} has no {argument!r}")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises, naming what is undefined
        _check_operands(operator, left, right)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > INT_BITS:
            raise ScenarioError(f"a number of more than {INT_BITS} bits")
        _payer(context).charge(1 if isinstance(result, int | float) else size_of(result))
        return result


class Absent(Undefined):
    """A missing value: false in a condition, equal to no value; every other use raises UndefinedError."""

    __slots__ = ()

    # As jinja2.StrictUndefined does it.
    __str__ = __len__ = __iter__ = __hash__ = Undefined._fail_with_undefined_error

    def __contains__(self, item: object) -> bool:
        return False


def _keyed(obj: Any) -> bool:
    return isinstance(obj, Mapping)


def _kind(obj: Any) -> str:
    names = {str: "a text", int: "a number", float: "a number", list: "a list", tuple: "a list", bool: "true or false"}
    return "nothing" if obj is None else "an object" if _keyed(obj) else names.get(type(obj), "this value")


def _check_operands(operator: str, left: Any, right: Any) -> None:
    """Refuse what could be large before it is made. Raises ScenarioError."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        powers = operator == "**" and isinstance(left, int) and isinstance(right, int)
        if powers and int(left).bit_length() * abs(right) > INT_BITS:
            raise ScenarioError(f"`**` would give a number of more than {INT_BITS} bits")
        return
    if operator == "+" and type(left) is type(right) and isinstance(left, str | list):
        return
    if operator == "*":
        many, times = (right, left) if isinstance(left, int) else (left, right)
        if isinstance(many, str | list) and isinstance(times, int):
            if len(many) * times > MAX_CHARS:
                raise ScenarioError(f"`*` would give more than {MAX_CHARS:,} characters or items")
            return
    raise ScenarioError(f"`{operator}` does not work on {_kind(left)} and {_kind(right)}")


@pass_context
def _each(context: Context, values: Any, cost: int) -> Iterator[Any]:
    """What every `{% for %}` iterates over: only plain collections, each round charged."""
    if isinstance(values, Undefined):
        str(values)  # raises, naming what is undefined
    if not isinstance(values, Sequence | Mapping):
        raise ScenarioError(f"`for` does not work on {_kind(values)}")
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
    env.globals = {"range": env.globals["range"]}
    return env


ENV: Final = _sandbox()
