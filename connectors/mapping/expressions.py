"""Expressions in request templates: plain names (`params.model`) are closures, anything else is sandboxed Jinja2.

There is one rule for missing values (docs/targets.md, "Missing values"): an expression that uses one is itself MISSING.
Conditions, comparisons, `default` and `is defined` may use a missing value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from jinja2 import TemplateError, Undefined, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connectors.errors import BadRequest
from connectors.spec import SpecError

Context = Mapping[str, Any]

CONTEXT_NAMES: Final = frozenset(
    {"message", "messages", "history", "session", "turn", "vars", "params", "secret", "saved"}
)
NOTHING: Final = "nothing"
"""A name that is always missing: `{{ x or nothing }}` leaves the part out if `x` is empty."""

_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")


class _Missing:
    """The one value that means "leave this out"."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


def _shaped(messages: Any, shape: Any, roles: Mapping[str, str] | None = None) -> list[Any]:
    """Converts each message to another shape, in which `$role` and `$content` are placeholders; `roles` renames roles:
    `messages | shaped({'role': '$role', 'parts': [{'text': '$content'}]}, {'assistant': 'model'})`."""
    names = roles or {}
    return [_filled(shape, names.get(said["role"], said["role"]), said["content"]) for said in messages]


def _filled(shape: Any, role: str, content: str) -> Any:
    if isinstance(shape, str):
        # The content comes last, because it may contain a placeholder itself.
        return "".join(content if part == "$content" else part for part in _CONTENT.split(shape.replace("$role", role)))
    if isinstance(shape, Mapping):
        return {key: _filled(value, role, content) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [_filled(value, role, content) for value in shape]
    return shape


class _Absent(Undefined):
    """A missing value: false in a condition, equal to no value; every other use raises UndefinedError."""

    __slots__ = ()

    # As jinja2.StrictUndefined does it.
    __str__ = __len__ = __iter__ = __hash__ = Undefined._fail_with_undefined_error

    def __contains__(self, item: object) -> bool:
        return False


_CONTENT = re.compile(r"(\$content)")
_sandbox = ImmutableSandboxedEnvironment(undefined=_Absent)
_sandbox.filters["shaped"] = _shaped


def compile_expression(text: str, where: str) -> Callable[[Context], Any]:
    """A function from a context to the expression's value or MISSING; it raises BadRequest for other errors. `where` is
    the expression's place in the target. Raises SpecError for what is not an expression or uses an unknown name."""
    if _PLAIN_NAME.match(text):
        root, *keys = text.split(".")
        _check_root(root, text, where)
        return _name_getter(root, keys)
    try:
        compiled = _sandbox.compile_expression(text, undefined_to_none=False)
        tree = _sandbox.parse(f"{{{{ {text} }}}}")
    except TemplateError as exc:
        raise SpecError(f"{where}: {{{{ {text} }}}} is not an expression: {exc}") from exc
    for root in sorted(meta.find_undeclared_variables(tree) - _sandbox.globals.keys() - {NOTHING}):
        _check_root(root, text, where)
    is_missing = _holds_missing if _may_hold_missing(tree) else _is_missing

    def evaluate(context: Context) -> Any:
        try:
            value = compiled(**context)
        except UndefinedError:
            return MISSING
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as exc:
            raise BadRequest("request_invalid", f"{where}: {{{{ {text} }}}}: {exc}") from exc
        return MISSING if is_missing(value) else value

    return evaluate


def _check_root(root: str, text: str, where: str) -> None:
    if root not in CONTEXT_NAMES:
        known = ", ".join(sorted(CONTEXT_NAMES))
        raise SpecError(f"{where}: {{{{ {text} }}}}: {root!r} is not known; use one of {known}")


def _may_hold_missing(tree: nodes.Template) -> bool:
    """Whether the expression makes lists or objects with values that may be missing."""
    made = tree.find_all((nodes.List, nodes.Tuple, nodes.Dict))
    varies = any(node.find(nodes.Name) is not None for node in made)
    return varies or any(node.name == "map" for node in tree.find_all(nodes.Filter))


def _is_missing(value: Any) -> bool:
    return isinstance(value, Undefined)


def _holds_missing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_missing, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_missing, value))
    return isinstance(value, Undefined)


def _name_getter(root: str, keys: list[str]) -> Callable[[Context], Any]:
    def get(context: Context) -> Any:
        value = context.get(root, MISSING)
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                return MISSING
            value = value[key]
        return value

    return get
