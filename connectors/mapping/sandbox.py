"""The sandbox of request templates: Jinja2's expressions with its filters, everything bounded (`bounds.templates`).

A target may come from anyone, and its templates are compiled inside the site. So what is expensive is charged to a
budget before it is made; without one in the context, each evaluation has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from jinja2 import Template, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from bounds.templates import (
    MAX_DEPTH,
    STEP_COST,
    Absent,
    LimitError,
    bounded_number,
    bounded_range,
    check_operands,
    kind_of,
    size_of,
)
from connectors.mapping import filters
from connectors.mapping.checks import METHODS, check_percent_operator
from connectors.mapping.filters import BUDGET, Budget
from connectors.mapping.shaping import MAX_CHARS
from connectors.template_text import parse_expression

_COMPILE_COST: Final = 500
"""What compiling takes from the budget, per character: 20,000 characters in all of a target."""
_HOLDERS: Final = (str, int, float, list, tuple, Mapping)
_ALLOWED: Final = (
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem),
    *(nodes.Slice, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
    *(nodes.Concat, nodes.Call, nodes.Keyword, nodes.CondExpr),
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Calls `range`, `dict` and listed methods of plain values only; operators are bounded."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises, naming what is undefined
        if type(left) is int and type(right) is int and operator in "+-":
            bounded_number(left)
            bounded_number(right)
            return left + right if operator == "+" else left - right
        if operator == "%" and isinstance(left, str):
            check_percent_operator(left, right)
        else:
            check_operands(operator, left, right, MAX_CHARS)
        result = super().call_binop(context, operator, left, right)
        bounded_number(result)
        if not isinstance(result, int | float):
            context[BUDGET].charge(size_of(result, MAX_CHARS))
        return result

    def wrap_str_format(self, value: Any) -> Any:
        """`format` of a text: a function that looks like the method, so that `call` knows it."""
        wrapped: Any = super().wrap_str_format(value)
        if wrapped is not None:
            wrapped.__self__ = value.__self__
            wrapped.__name__ = value.__name__
        return wrapped

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(called, Undefined) and called not in self.globals.values():
            owner, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
            if not isinstance(owner, _HOLDERS) or name not in METHODS:
                raise SecurityError(f"{name or 'this value'!r} cannot be called: use a filter")
            args = filters.before_call(context[BUDGET], owner, name, args, kwargs)
        result = super().call(context, called, *args, **kwargs)
        context[BUDGET].charge(filters.weight(result) + STEP_COST * len(kwargs))
        return result


class _Admit(NodeTransformer):
    """Refuses what is not part of the language, and routes `~` and comparisons through guarded filters."""

    def __init__(self) -> None:
        self._depth = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(node, _ALLOWED):
            raise LimitError(f"{type(node).__name__.lower()} is not part of the template language")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LimitError("it is nested too deep")
        visited = super().visit(node, *args, **kwargs)
        self._depth -= 1
        return visited

    def visit_Call(self, node: nodes.Call | nodes.Filter | nodes.Test) -> nodes.Node:
        if node.dyn_args is not None or (node.dyn_kwargs is not None and not isinstance(node, nodes.Call)):
            raise LimitError("`*` and `**` cannot stand before an argument")
        return self.generic_visit(node)

    visit_Filter = visit_Test = visit_Call

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """Python's compiler would print a warning about the slice of a constant that has none."""
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            with suppress(nodes.Impossible):  # it is no constant
                value = node.node.as_const(nodes.EvalContext(ENV))
                if not isinstance(value, str | list | tuple):
                    raise LimitError(f"only texts and lists can be sliced, not {kind_of(value)}")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_concat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """Comparing costs the smaller of two values, and a constant is small; searching costs all that is searched."""
        self.generic_visit(node)
        constant = isinstance(node.expr, nodes.Const) or isinstance(node.ops[0].expr, nodes.Const)
        if len(node.ops) > 1 or not constant:
            node.expr = _filtered(node.expr, "_weighed")
        for operand in node.ops:
            if "in" in operand.op:
                operand.expr = _filtered(operand.expr, "_weighed")
        return node


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _sandbox() -> Sandbox:
    env = Sandbox(undefined=Absent)
    given, tests = {**env.filters, **filters.ENCODING}, dict[str, Any](env.tests)
    env.filters = {name: filters.guarded(name, given[name]) for name in filters.NAMES} | filters.OWN
    env.tests = {name: filters.guarded_test(name, test) for name, test in tests.items()}
    env.globals = {"range": bounded_range, "dict": env.globals["dict"]}
    return env


ENV: Final = _sandbox()


def parse(text: str, budget: Budget | None) -> nodes.Assign:
    """The tree of one expression, whose value gets the name `value`. Raises LimitError, TemplateSyntaxError and what
    Python's compiler raises."""
    tree = parse_expression(ENV, text)
    if budget is not None:
        budget.charge(_COMPILE_COST * (len(text) + 20))
    return nodes.Assign(nodes.Name("value", "store", lineno=1), tree, lineno=1)


def compiled(keep: nodes.Assign) -> Template:
    """What gives a context its `value`. Raises as `parse`."""
    keep.node = _Admit().visit(keep.node)
    parsed = nodes.Template([keep], lineno=1)
    parsed.set_environment(ENV)
    return ENV.from_string(parsed)
