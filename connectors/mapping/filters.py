"""Filters, tests and methods of request templates: Jinja2's own, each charged for what it reads and makes.

What one would make is known before it does (`connectors.mapping.checks`): `center(1000000000)` makes nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sized
from types import GeneratorType
from typing import Any, Final

from jinja2 import Undefined, pass_context, pass_eval_context
from jinja2.filters import do_tojson, do_urlencode, make_attrgetter
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.utils import _PassArg

from bounds.templates import STEP_COST, WORK, LimitError, bounded_chars, bounded_number, size_of
from connectors.mapping import checks
from connectors.mapping.shaping import MAX_CHARS, shaped
from connectors.opaque.tokens import BASE64, HTML_JSON, MARK, URL, token, wrapped

BUDGET: Final = " budget"
"""Where a context keeps its budget: not a name that a template can write."""
_AT_ONCE: Final = frozenset({"default", "d", "first", "last", "length", "count", "random", "safe"})
_TEXTS: Final[dict[str, int]] = {
    **dict.fromkeys(["capitalize", "center", "filesizeformat", "format", "indent", "lower", "replace", "string"], 1),
    **dict.fromkeys(["trim", "truncate", "upper", "abs", "float", "int", "round"], 1),
    **dict.fromkeys(["e", "escape", "forceescape", "tojson", "wordcount"], 5),
    **dict.fromkeys(["title", "urlencode"], 16),
    "b64encode": 2,
    **dict.fromkeys(["striptags", "wordwrap"], 20),
}
"""By filter: what a character of its input takes from the budget."""
_LISTS: Final = frozenset(
    {
        *("batch", "dictsort", "groupby", "items", "list", "map", "max", "min", "reject", "rejectattr", "reverse"),
        *("select", "selectattr", "slice", "sort", "sum", "unique"),
    }
)
NAMES: Final = frozenset({*_AT_ONCE, *_TEXTS, *_LISTS})
"""Jinja2's filters that a template may use."""
_CALL_COST: Final = 200
"""What each call of a filter takes, as `map` makes many: 50,000 in all."""
_SIZED: Final = (list, tuple, str, dict, range)
_SHORT_CHARS: Final = 1000
"""Length of a text with which anything may be compared for nothing."""
_COMPARING: Final = frozenset(
    {
        *("lower", "upper", "in", "==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan"),
        *("ge", ">=", "<", "lt", "lessthan", "<=", "le"),
    }
)
_NUMERIC: Final = frozenset({"odd", "even", "divisibleby"})


class Budget:
    """What may still be spent, in characters made."""

    __slots__ = ("work",)

    def __init__(self) -> None:
        self.work = WORK

    def charge(self, cost: int) -> None:
        """Raises LimitError when the budget is spent."""
        self.work -= cost
        if self.work < 0:
            raise LimitError("too much work for templates: use shorter ones, or smaller values")


def weight(value: Any) -> int:
    """What a result takes from the budget. Raises LimitError."""
    if isinstance(value, str):
        bounded_chars(len(value), MAX_CHARS)
        return len(value)
    if value.__class__ is list:
        return STEP_COST * len(value)
    if value.__class__ is range:
        return 1  # whoever goes through it pays
    if isinstance(value, int):
        bounded_number(value)
        return 1
    return STEP_COST * len(value) if isinstance(value, Sized) and not isinstance(value, Undefined) else 1


def _whole_weight(value: Any) -> int:
    """Of all that is in a value, as for a comparison. A missing value is allowed here."""
    if isinstance(value, str):
        return len(value)
    return size_of(value, MAX_CHARS, missing=True) if isinstance(value, list | tuple | dict | range) else 1


def as_text(value: Any) -> str:
    """As `str`. Raises LimitError for what would become too long."""
    if isinstance(value, str):
        return value
    if value.__class__ is not int:
        size_of(value, MAX_CHARS)
    return str(value)


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter `name` with its limits."""
    wanted = _PassArg.from_obj(function)
    check, per_char, free = checks.OF_FILTERS.get(name), _TEXTS.get(name, 0), name in _AT_ONCE

    @pass_context
    def run(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        budget: Budget = context.parent[BUDGET]
        budget.charge(_CALL_COST)
        sized = False
        if per_char:
            budget.charge(per_char * (len(value) if value.__class__ is str else size_of(value, MAX_CHARS)))
        elif not free:
            if (sized := isinstance(value, _SIZED)) or isinstance(value, Sized):
                budget.charge(STEP_COST * len(value))  # raises for a missing value
            if args or kwargs:
                checks.check_attributes(name, args, kwargs)
        if check is not None:
            check(value, *args, **kwargs)
        given = () if wanted is None else (_passed(wanted, context),)
        result = function(*given, value, *args, **kwargs)
        if result.__class__ is GeneratorType or isinstance(result, Iterator):
            return result if sized else _charged(budget, result)  # what is there was paid for above
        if result is not value:
            budget.charge(weight(result))
        return result

    return run


def _passed(wanted: _PassArg, context: Context) -> Any:
    if wanted is _PassArg.context:
        return context
    return context.eval_ctx if wanted is _PassArg.eval_context else context.environment


def _charged(budget: Budget, values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        budget.charge(STEP_COST)
        yield value


def guarded_test(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The test `name` with its limits."""
    if name in _NUMERIC:
        return lambda *values: function(*map(_number, values))
    if name not in _COMPARING:
        return function

    @pass_context
    def run(context: Context, value: Any, *others: Any) -> Any:
        if not (others and name != "in" and others[0].__class__ is str and len(others[0]) <= _SHORT_CHARS):
            for item in (value, *others):
                context.parent[BUDGET].charge(_whole_weight(item))
        return function(value, *others)

    return run


def _number(value: Any) -> Any:
    if not isinstance(value, int | float | Undefined):
        raise LimitError("this test works on numbers")
    bounded_number(value)
    return value


@pass_context
def _weighed(context: Context, value: Any) -> Any:
    context.parent[BUDGET].charge(_whole_weight(value))
    return value


@pass_context
def _joined(context: Context, values: Any, d: Any = "", attribute: Any = None) -> str:
    if attribute is not None:
        checks.check_attributes("join", (), {"attribute": attribute})
        values = map(make_attrgetter(context.environment, attribute), values)
    budget, between, chars = context.parent[BUDGET], as_text(d), 0
    pieces: list[str] = []
    for value in values:
        pieces.append(as_text(value))
        chars += len(pieces[-1]) + len(between)
        budget.charge(len(pieces[-1]) + len(between) + STEP_COST)
        bounded_chars(chars, MAX_CHARS)
    return between.join(pieces)


@pass_context
def _concat(context: Context, values: list[Any]) -> str:
    pieces = [as_text(value) for value in values]
    chars = sum(map(len, pieces))
    bounded_chars(chars, MAX_CHARS)
    context.parent[BUDGET].charge(chars)
    return "".join(pieces)


def b64encode(value: Any) -> str:
    """Base64 of a text, as HTTP's Basic authorization has it: no filter of Jinja2's."""
    text = as_text(value)
    return token(BASE64, text) if MARK in text else base64.b64encode(text.encode()).decode()


def urlencode(value: Any) -> str:
    if isinstance(value, str) and MARK in value:
        return token(URL, value)
    return do_urlencode(value)


@pass_eval_context
def tojson(eval_ctx: EvalContext, value: Any, indent: int | None = None) -> str:
    text = do_tojson(eval_ctx, value, indent)
    return wrapped(HTML_JSON, text) if MARK in text else text


@pass_context
def _shaped(context: Context, messages: Any, shape: Any, roles: Mapping[str, str] | None = None) -> list[Any]:
    if isinstance(messages, Sized):
        context.parent[BUDGET].charge(STEP_COST * len(messages))
    return shaped(messages, shape, roles)


ENCODING: Final[dict[str, Callable[..., Any]]] = {"b64encode": b64encode, "urlencode": urlencode, "tojson": tojson}
"""Filters that secrets may go through."""
OWN: Final[dict[str, Callable[..., Any]]] = {
    "join": _joined,
    "shaped": _shaped,
    "_concat": _concat,
    "_weighed": _weighed,
}


def before_call(budget: Budget, owner: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The arguments of a method that is called. Raises LimitError if it would cost too much."""
    for item in (owner, *args):
        if isinstance(item, str | list | tuple | dict):
            budget.charge(_whole_weight(item) * 10)
    if name == "join":
        args = tuple(list(item) for item in args)
        pieces = [piece for item in args for piece in item]
        bounded_chars(sum(len(piece) + len(owner) for piece in pieces if isinstance(piece, str)), MAX_CHARS)
    if (check := checks.OF_METHODS.get(name)) is not None:
        check(owner, *args, **kwargs)
    return args
