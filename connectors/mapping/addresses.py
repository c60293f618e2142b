"""Paths and URLs of requests as templates: what an expression gives is one value, percent-encoded whole (RFC 6570,
simple expansion), so that a message with `?`, `/` or `#` in it arrives as it was written.

Kept as it is: what begins the text, because a path or URL may be given as a whole; what stands in the host of a URL;
and what the filter `urlencode` has encoded, which keeps slashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from jinja2 import TemplateError, nodes

from connectors.errors import BadRequest
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.filters import as_text
from connectors.mapping.templates import Template, compile_string
from connectors.opaque.tokens import MARK, TOKEN, URL, token
from connectors.opaque.uses import ENVIRONMENT
from connectors.template_text import blanked, parse_expression

_IN_HOST: Final = re.compile(r"\s*[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


def compile_address(text: str, where: str, fold: Context) -> Template:
    """A path, or the URL of a handshake step. Raises SpecError."""
    before = blanked(text)

    def encoder(at: int, expression: str) -> Callable[[Any], Any] | None:
        begin = before[:at]
        if (not begin.strip() and not text[:at].strip()) or _IN_HOST.fullmatch(begin) or _is_encoded(expression):
            return None
        return lambda value: encoded(value, where)

    return compile_string(text, where, fold, encoder)


def encoded(value: Any, where: str) -> Any:
    """A value as a part of a path. Raises BadRequest."""
    if value is MISSING or value is None:
        return MISSING
    try:
        text = as_text(value)
        if MARK not in text:
            return quote(text, safe="")
        found, at = [], 0
        for match in TOKEN.finditer(text):
            found += [quote(text[at : match.start()], safe=""), token(URL, match[0])]
            at = match.end()
        return "".join([*found, quote(text[at:], safe="")])
    except ValueError as exc:
        raise BadRequest("request_invalid", f"{where}: {exc}") from exc


def _is_encoded(expression: str) -> bool:
    """Whether all that it gives has gone through `urlencode`, or stands in the template."""
    if "urlencode" not in expression:
        return False
    try:
        return _all_encoded(parse_expression(ENVIRONMENT, expression))
    except (TemplateError, ValueError, RecursionError):
        return False  # compiling it says what is wrong


def _all_encoded(node: nodes.Node | None) -> bool:
    match node:
        case nodes.Filter():
            return node.name == "urlencode"
        case nodes.Concat():
            return all(map(_all_encoded, node.nodes))
        case nodes.CondExpr():
            return _all_encoded(node.expr1) and (node.expr2 is None or _all_encoded(node.expr2))
        case nodes.Const():
            return True
    return False
