"""What a template may do with a secret, told from its text: nothing is compiled or run.

A secret is an opaque value. It stands as it is, is joined with other text, goes through an encoder, or is a value in a
list or an object. Whether it is set may be asked; everything else would tell something about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Any, Final

from jinja2 import Environment, TemplateError, nodes

from bounds.templates import LimitError
from connectors.template_text import expressions_in, parse_expression

ENCODERS: Final = frozenset({"b64encode", "urlencode"})
NAME: Final = "secret"
SHOWN: Final = 200
HOW: Final = (
    "a secret may stand as it is, be joined with other text (~), go through b64encode, urlencode or tojson, or be a "
    "value of a list or an object; `is defined` and `or` tell whether it is set"
)
_WORD: Final = re.compile(rf"\b{NAME}\b")
ENVIRONMENT: Final = Environment(autoescape=True)
"""Only its parser is used."""


class Kind(IntEnum):
    """What an expression gives."""

    CLEAN = 0
    """Nothing that depends on a secret, but for whether one is set."""
    WHOLE = 1
    """A secret as it is."""
    TEXT = 2
    """A text with secrets in it."""
    ENCODED = 3
    """A text with encoded secrets in it. Encoded again as base64, redaction would not know them."""
    HOLDER = 4
    """A list or an object with secrets among its values."""
    HOLDER_OF_ENCODED = 5


class MisuseError(ValueError):
    """A secret is used as it must not be; the message says how."""


def expressions(text: str) -> Iterator[tuple[int, str]]:
    """Those in a template that may name a secret, with where they begin."""
    if NAME not in text:
        return
    for match in expressions_in(text):
        if _WORD.search(match[1]):
            yield match.start(), match[1].strip()


def kind_of_expression(text: str) -> Kind:
    """Raises MisuseError."""
    shown = f"{{{{ {text[:SHOWN]} }}}}"
    try:
        return _kind(parse_expression(ENVIRONMENT, text))
    except (MisuseError, LimitError) as exc:
        raise MisuseError(f"{shown}: {exc}") from None
    except (TemplateError, RecursionError, MemoryError, ValueError, OverflowError) as exc:
        why = next(iter(str(exc).splitlines()), "")[:SHOWN]
        raise MisuseError(f"{shown} is not an expression: {why}") from None


def _misused(what: str) -> MisuseError:
    return MisuseError(f"{what}: {HOW}")


def _kind(node: nodes.Node) -> Kind:
    if (read := _READERS.get(type(node))) is not None:
        return read(node)
    _check_clean(node.iter_child_nodes(), f"a secret cannot be used {_NAMES.get(type(node), 'here')}")
    return Kind.CLEAN


_NAMES: Final[dict[type[nodes.Node], str]] = {
    nodes.Compare: "in a comparison",
    nodes.Call: "in a call",
    nodes.Slice: "in a slice",
    **dict.fromkeys((nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow), "in arithmetic"),
    **dict.fromkeys((nodes.Neg, nodes.Pos), "in arithmetic"),
}


def _kind_of_name(node: nodes.Name) -> Kind:
    if node.name == NAME:
        raise _misused("the secrets cannot be used all together; name one, as in secret.api_key")
    return Kind.CLEAN


def _kind_of_not(node: nodes.Not) -> Kind:
    _check_presence(node.node)
    return Kind.CLEAN


def _kind_of_choice(node: nodes.And | nodes.Or) -> Kind:
    _check_presence(node.left)
    return max(_kind(node.left), _kind(node.right))


def _kind_of_condition(node: nodes.CondExpr) -> Kind:
    _check_presence(node.test)
    return max(_kind(node.expr1), Kind.CLEAN if node.expr2 is None else _kind(node.expr2))


def _kind_of_dict(node: nodes.Dict) -> Kind:
    _check_clean((pair.key for pair in node.items), "a secret cannot be a key")
    return _held([pair.value for pair in node.items])


def _kind_of_member(node: nodes.Getattr | nodes.Getitem) -> Kind:
    owner = node.node
    if isinstance(owner, nodes.Name) and owner.name == NAME:
        if isinstance(node, nodes.Getattr) or (isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)):
            return Kind.WHOLE
        raise _misused("which secret it is must stand in the template, as in secret.api_key")
    _check_clean([owner], "nothing can be taken out of a secret, or of what holds one")
    if isinstance(node, nodes.Getitem):
        _check_clean([node.arg], "a secret cannot choose a value")
    return Kind.CLEAN


def _kind_of_filter(node: nodes.Filter) -> Kind:
    given = Kind.CLEAN if node.node is None else _kind(node.node)
    others = [*node.args, *(pair.value for pair in node.kwargs), *_dynamic(node)]
    if node.name in {"default", "d"}:
        return max([given, *map(_kind, others)])
    _check_clean(others, f"a secret cannot be an argument of the filter {node.name}")
    if given is Kind.CLEAN:
        return Kind.CLEAN
    if node.name == "tojson" or (node.name == "join" and given >= Kind.HOLDER and not node.kwargs):
        return Kind.ENCODED if given in {Kind.ENCODED, Kind.HOLDER_OF_ENCODED} else Kind.TEXT
    if node.name not in ENCODERS:
        raise _misused(f"a secret cannot go through the filter {node.name}")
    if given >= Kind.HOLDER or others:
        raise _misused(f"{node.name} takes a secret only as a text, and nothing else with it")
    if node.name == "b64encode" and given is Kind.ENCODED:
        raise _misused("a secret that is encoded cannot go through b64encode again")
    return Kind.ENCODED


def _kind_of_test(node: nodes.Test) -> Kind:
    others = [*node.args, *(pair.value for pair in node.kwargs), *_dynamic(node)]
    _check_clean(others, "a secret cannot be compared")
    if node.name in {"defined", "undefined"}:
        _check_presence(node.node)
    else:
        _check_clean([node.node], f"a secret cannot be tested for being {node.name}")
    return Kind.CLEAN


def _dynamic(node: nodes.Filter | nodes.Test) -> list[nodes.Expr]:
    return [given for given in (node.dyn_args, node.dyn_kwargs) if given is not None]


def _joined(parts: Iterable[nodes.Node]) -> Kind:
    kinds = list(map(_kind, parts))
    if max(kinds) >= Kind.HOLDER:
        raise _misused("a list or an object with a secret cannot be joined: put tojson behind it")
    return max(*kinds, Kind.TEXT) if max(kinds) else Kind.CLEAN


def _held(values: Iterable[nodes.Node]) -> Kind:
    kinds = {Kind.CLEAN, *map(_kind, values)}
    if kinds & {Kind.ENCODED, Kind.HOLDER_OF_ENCODED}:
        return Kind.HOLDER_OF_ENCODED
    return Kind.HOLDER if max(kinds) else Kind.CLEAN


def _check_presence(node: nodes.Node) -> None:
    """A condition may ask whether a secret is set: that is no more than its name tells."""
    if _kind(node) > Kind.WHOLE:
        raise _misused("a condition may name a secret only as it is")


def _check_clean(found: Iterable[nodes.Node], what: str) -> None:
    if any(_kind(node) for node in found):
        raise _misused(what)


_READERS: Final[dict[type[nodes.Node], Callable[[Any], Kind]]] = {
    nodes.Name: _kind_of_name,
    nodes.Getattr: _kind_of_member,
    nodes.Getitem: _kind_of_member,
    nodes.Concat: lambda node: _joined(node.nodes),
    nodes.Add: lambda node: _joined([node.left, node.right]),
    nodes.Filter: _kind_of_filter,
    nodes.Test: _kind_of_test,
    nodes.Not: _kind_of_not,
    nodes.And: _kind_of_choice,
    nodes.Or: _kind_of_choice,
    nodes.CondExpr: _kind_of_condition,
    nodes.List: lambda node: _held(node.items),
    nodes.Tuple: lambda node: _held(node.items),
    nodes.Dict: _kind_of_dict,
}
"""What each kind of node makes of a secret; in every other one there must be none."""
