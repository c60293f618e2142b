"""Templates with more than plain names: checked against the allowed language, compiled in the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from jinja2 import Template, TemplateError, meta, nodes
from jinja2.visitor import NodeTransformer

from bounds.templates import MAX_DEPTH
from scenarios.definition.limits import STEP_COST, bounded_chars, size_of
from scenarios.definition.spec import ScenarioError
from scenarios.template.filters import DRAWING, FILTERS, TESTS
from scenarios.template.names import RESERVED, Names
from scenarios.template.sandbox import ENV, SCOPE_KEY, Payer

TEMPLATE_CHARS: Final = 100_000
"""Length of a template that is more than plain names: its compilation costs time and memory."""
RENDER_ERRORS: Final = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
COMPILE_ERRORS: Final = (*RENDER_ERRORS, SyntaxError, MemoryError)
"""Python's own compiler reports expressions nested too deep with the last two."""
_ADVICE: Final[dict[type[nodes.Node], str]] = {
    nodes.Assign: "use a `set` step instead",
    nodes.AssignBlock: "use a `set` step instead",
    nodes.Slice: "use the filter `truncate`, `first` or `last` instead",
}
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.CondExpr),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Getattr, nodes.Getitem),
    *(nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
    *(nodes.Concat, nodes.Call, nodes.Keyword),
)


class _Admit(NodeTransformer):
    """Refuses every node that is not on the list, and routes loops and `~` through guarded filters."""

    def __init__(self) -> None:
        self._depth = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(node, _ALLOWED):
            advice = _ADVICE.get(type(node), "templates have only expressions, `if` and `for`")
            raise ScenarioError(f"{type(node).__name__.lower()} is not part of the template language: {advice}")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ScenarioError("the template is nested too deep")
        visited = super().visit(node, *args, **kwargs)
        self._depth -= 1
        return visited

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        by_name = isinstance(node.node, nodes.Name) and node.node.name == "range"
        if not by_name or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise ScenarioError("only `range(...)` can be called: use filters for everything else")
        return self.generic_visit(node)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:
        if node.expr2 is None:
            raise ScenarioError("`... if ...` needs an `else`: without it, the value may be missing")
        return self.generic_visit(node)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        if node.node is None or not (node.name in FILTERS or node.name in DRAWING):
            known = ", ".join(sorted([*FILTERS, *DRAWING]))
            raise ScenarioError(f"there is no filter {node.name!r}: use one of {known}")
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:
        if node.name not in TESTS:
            raise ScenarioError(f"there is no test {node.name!r}: use one of {', '.join(sorted(TESTS))}")
        return self.generic_visit(node)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise ScenarioError("`for ... recursive` is not part of the template language")
        self.generic_visit(node)
        # A round costs what its body could do: comparing two long texts is one node and takes a while.
        cost = nodes.Const(STEP_COST * sum(1 for part in node.body for _ in part.find_all(nodes.Node)))
        node.iter = nodes.Filter(node.iter, "_each", [cost], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        items = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(items, "join", [], [], None, None, lineno=node.lineno)


class Compiled(NamedTuple):
    """A template. `text` renders it; `value`, if it is one expression alone, gives that with its type."""

    text: Callable[[Payer, dict[str, Any]], str]
    value: Callable[[Payer, dict[str, Any]], Any] | None


def compile_template(source: str, names: Names) -> Compiled:
    """Raises ScenarioError for what is wrong or not allowed in `source`, names that cannot be known included."""
    if len(source) > TEMPLATE_CHARS:
        raise ScenarioError(f"a template with more than plain names may have {TEMPLATE_CHARS:,} characters")
    try:
        tree = ENV.parse(source)
        tree = _Admit().visit(tree)
        _check_names(tree, names)
        native = _only_expression(tree)
        return Compiled(_text_of(ENV.from_string(tree)), _value_of(ENV.from_string(native)) if native else None)
    except ScenarioError:
        raise
    except COMPILE_ERRORS as exc:
        raise ScenarioError(f"not a template: {_first_line(exc)}") from exc


def _check_names(tree: nodes.Template, names: Names) -> None:
    looked_up: dict[int, str | None] = {id(node.node): node.attr for node in tree.find_all(nodes.Getattr)}
    looked_up |= {id(node.node): getattr(node.arg, "value", None) for node in tree.find_all(nodes.Getitem)}
    free = meta.find_undeclared_variables(tree)
    for name in tree.find_all(nodes.Name):
        if name.ctx != "load":
            if name.name in RESERVED:
                raise ScenarioError(f"{name.name!r} is reserved: use another name")
        elif name.name == "self" or name.name in free:
            names.check(name.name, looked_up.get(id(name)), id(name) in looked_up)


def _only_expression(tree: nodes.Template) -> nodes.Template | None:
    match tree.body:
        case [nodes.Output(nodes=[node])] if not isinstance(node, nodes.TemplateData):
            keep = nodes.Assign(nodes.Name("value", "store", lineno=1), node, lineno=1)
            return nodes.Template([keep], lineno=1)
    return None


def _text_of(template: Template) -> Callable[[Payer, dict[str, Any]], str]:
    def render(payer: Payer, values: dict[str, Any]) -> str:
        pieces, chars = [], 0
        try:
            for piece in template.root_render_func(template.new_context({**values, SCOPE_KEY: payer})):
                chars += len(piece)
                bounded_chars(chars)
                pieces.append(piece)
        except ScenarioError:
            raise
        except RENDER_ERRORS as exc:
            raise ScenarioError(_first_line(exc)) from exc
        payer.charge(chars)
        return "".join(pieces)

    return render


def _value_of(template: Template) -> Callable[[Payer, dict[str, Any]], Any]:
    def evaluate(payer: Payer, values: dict[str, Any]) -> Any:
        context = template.new_context({**values, SCOPE_KEY: payer})
        try:
            for _ in template.root_render_func(context):
                pass
            value = context.vars["value"]
            size = size_of(value)
        except ScenarioError:
            raise
        except RENDER_ERRORS as exc:
            raise ScenarioError(_first_line(exc)) from exc
        payer.charge(size)
        return list(value) if isinstance(value, range) else value

    return evaluate


def _first_line(exc: BaseException) -> str:
    return next(iter(str(exc).splitlines()), "") or type(exc).__name__
