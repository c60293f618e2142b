"""Expressions in the texts of a target: where they stand, and how one is read. Nothing is compiled or run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from jinja2 import Environment, nodes
from jinja2.parser import Parser

from bounds.templates import LimitError

EXPRESSION_CHARS: Final = 10_000
BEGIN: Final = r"(?:\b|\\[nrt])"
"""Pattern: where a name begins in an expression that stands in JSON. A line break is two characters there."""
_EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def expressions_in(text: str) -> Iterator[re.Match[str]]:
    """Each `{{ ... }}`, its inner text as group 1."""
    return _EXPRESSION.finditer(text, 0, _end(text))


def naming(*names: str) -> Callable[[str], bool]:
    """Whether an expression in JSON names one of them."""
    pattern = re.compile(rf"{BEGIN}(?:{'|'.join(names)})\b")
    return lambda text: any(pattern.search(match[1]) for match in expressions_in(text))


def blanked(text: str) -> str:
    """`text` with spaces in the place of its expressions."""
    end = _end(text)
    return _EXPRESSION.sub(lambda match: " " * len(match[0]), text[:end]) + text[end:]


def is_one_expression(text: str) -> bool:
    """Whether nothing but white space stands beside it."""
    first = next(expressions_in(text), None)
    return first is not None and first[0] == text.strip()


def parse_expression(environment: Environment, text: str) -> nodes.Expr:
    """The tree of one. Raises LimitError, TemplateSyntaxError and what Python raises for trees that are too deep."""
    if len(text) > EXPRESSION_CHARS:
        raise LimitError(f"an expression may have {EXPRESSION_CHARS:,} characters")
    parser = Parser(environment, text, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        parser.fail("there is more after the end of the expression", parser.stream.current.lineno)
    return tree


def _end(text: str) -> int:
    """Of the last expression: to look for an end that is not there takes long."""
    return text.rfind("}}") + 2
