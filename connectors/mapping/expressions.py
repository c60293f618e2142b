"""Expressions in request templates: plain names (`params.model`) are closures, anything else is sandboxed Jinja2.

There is one rule for missing values (docs/targets.md, "Missing values"): an expression that uses one is itself MISSING.
Conditions, comparisons, `default` and `is defined` may use a missing value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from uuid import uuid4

from jinja2 import Template, TemplateError, Undefined, UndefinedError, nodes

from bounds.templates import STEP_COST, LimitError, size_of
from connectors.errors import BadRequest
from connectors.mapping.filters import BUDGET, Budget
from connectors.mapping.sandbox import ENV, compiled, parse
from connectors.mapping.shaping import MAX_CHARS
from connectors.spec import SpecError

Context = Mapping[str, Any]

CONTEXT_NAMES: Final = frozenset(
    {
        *("message", "messages", "history", "attachments", "attachment_parts", "session", "turn", "vars", "params"),
        *("secret", "saved", "message_id", "uuid"),
    }
)
UUID: Final = "uuid"
"""A name whose value is a new one for each expression that is rendered."""
MORE: Final = " more"
"""Where what is constant keeps further names that templates know, such as those of one handshake step."""
TOOL: Final = "tool"
"""The call, which only templates of tools know. None of these may hold a secret: what they give goes to the model."""
OF_TOOLS: Final = {MORE: frozenset({TOOL})}
NOTHING: Final = "nothing"
"""A name that is always missing: `{{ x or nothing }}` leaves the part out if `x` is empty."""

SHOWN: Final = 200
"""Characters of an expression, and of what is wrong with it, that an error shows."""
_ERRORS: Final = (
    *(TemplateError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
    *(RuntimeError, MemoryError),
)
"""What an expression may end in: Jinja2's filters raise whatever the wrong type of a value leads to."""
_REPEATING: Final = frozenset({"map", "batch", "slice", "groupby"})
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")


class _Missing:
    """The one value that means "leave this out"."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def compile_expression(
    text: str, where: str, budget: Budget | None = None, more: Collection[str] = ()
) -> Callable[[Context], Any]:
    """A function from a context to the expression's value or MISSING; it raises BadRequest for other errors. `where` is
    the expression's place in the target. `more`: names that are known beside CONTEXT_NAMES. Raises SpecError for
    what is not an expression or uses an unknown name."""
    if _PLAIN_NAME.match(text):
        if budget is not None:
            _pay_for_name(budget, text, where)
        root, *keys = text.split(".")
        _check_root(root, text, where, more)
        if text == UUID:
            return lambda _: new_uuid()
        return _name_getter(root, keys)
    try:
        tree = parse(text, budget)
        used = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
        may_hold_missing = _may_hold_missing(tree)
        template = compiled(tree)
    except LimitError as exc:
        raise SpecError(f"{where}: {{{{ {text[:SHOWN]} }}}}: {exc}") from exc
    except (*_ERRORS, SyntaxError) as exc:
        raise SpecError(f"{where}: {{{{ {text[:SHOWN]} }}}} is not an expression: {_first_line(exc)}") from exc
    for root in sorted(used - ENV.globals.keys() - {NOTHING}):
        _check_root(root, text, where, more)
    return _evaluator(template, text, where, may_hold_missing, fresh=UUID in used)


def _pay_for_name(budget: Budget, text: str, where: str) -> None:
    try:
        budget.charge(STEP_COST + len(text))
    except LimitError as exc:
        raise SpecError(f"{where}: {exc}") from exc


def new_uuid() -> str:
    return str(uuid4())


def _evaluator(
    template: Template, text: str, where: str, may_hold_missing: bool, *, fresh: bool
) -> Callable[[Context], Any]:
    run, new_context, given = template.root_render_func, template.new_context, ENV.globals

    def evaluate(context: Context) -> Any:
        names = {**given, BUDGET: None, **context}
        if names[BUDGET] is None:
            names[BUDGET] = Budget()
        if fresh:
            names[UUID] = new_uuid()
        try:
            scope = new_context(names, True)
            for _ in run(scope):
                pass
            value = scope.vars["value"]
            if may_hold_missing:
                size_of(value, MAX_CHARS)  # raises for a missing value
        except UndefinedError:
            return MISSING
        except _ERRORS as exc:
            raise BadRequest("request_invalid", f"{where}: {{{{ {text[:SHOWN]} }}}}: {_first_line(exc)}") from exc
        return MISSING if isinstance(value, Undefined) else value

    return evaluate


def _first_line(exc: BaseException) -> str:
    return next(iter(str(exc).splitlines()), "")[:SHOWN] or type(exc).__name__


def _check_root(root: str, text: str, where: str, more: Collection[str]) -> None:
    if root not in CONTEXT_NAMES and root not in more:
        known = {*CONTEXT_NAMES, *more} - ({"secret"} if TOOL in more else set())
        use = f"use one of {', '.join(sorted(known))}"
        raise SpecError(f"{where}: {{{{ {text[:SHOWN]} }}}}: {root[:SHOWN]!r} is not known; {use}")


def _may_hold_missing(tree: nodes.Assign) -> bool:
    """Whether the expression makes lists or objects with values that may be missing, or holds one of them often."""
    if any(node.find(nodes.Name) is not None for node in tree.find_all((nodes.List, nodes.Tuple, nodes.Dict))):
        return True
    repeats = any(node.name in _REPEATING for node in tree.find_all(nodes.Filter))
    return repeats or tree.find(nodes.Mul) is not None


def _name_getter(root: str, keys: list[str]) -> Callable[[Context], Any]:
    if not keys:
        return lambda context: context.get(root, MISSING)

    def get(context: Context) -> Any:
        value = context.get(root, MISSING)
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                return MISSING
            value = value[key]
        return value

    return get
