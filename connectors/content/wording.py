"""Describes a decoded answer in a few words for error messages, with advice."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.content.decoding import loads, mended, mended_value
from connectors.errors import TooLarge

SHAPE_LIMIT = 160
"""Characters."""
ONLY_SOCKETIO = "Socket.IO v2, v3 and v4 are supported"
REDIRECTED = "the target redirects: give its final address, or set follow_redirects"
STATUS_ADVICE = {
    **dict.fromkeys((301, 302, 303, 307, 308), REDIRECTED),
    401: "the target requires credentials: check its secrets",
    403: "these credentials are not permitted to do this: check the secrets and their permissions",
    404: "nothing at this address: check the base URL, the preset and the model's name",
    407: "the proxy requires credentials: set the secrets proxy_user and proxy_password",
    426: "the target expects another protocol here, such as WebSocket or HTTP/2: check the address and the preset",
    505: "the target does not support HTTP/1.1: enable it there, or in the proxy before it",
    429: "the target limits the rate: lower the load or ask for a higher limit",
}


def error_text(error: Any) -> str:
    """The text of an error object, on one line."""
    while isinstance(error, dict):
        if isinstance(told := error.get("error_description"), str) and told:  # RFC 6749, section 5.2
            error = f"{error.get('error', 'error')}: {told}"
            break
        inner = error.get("message") or error.get("detail") or error.get("error") or error.get("code")
        if not inner:
            break
        error = inner
    return " ".join((mended(error) if isinstance(error, str) else _json(error))[:SHAPE_LIMIT].split())


def _json(value: Any) -> str:
    try:
        return orjson.dumps(mended_value(value)).decode()
    except (TypeError, TooLarge):
        return "something nested too deeply to show"  # the parsed value may be nested deeper than can be serialised


_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}


def shape(message: Any) -> str:
    """The shape of a decoded answer, for an error message: its keys, never its values."""
    if isinstance(message, dict):
        return mended(f"the keys {', '.join(map(str, list(message)[:12])) or '(none)'}"[:SHAPE_LIMIT])
    return f"{_KINDS.get(type(message), 'something else')} at its top"


def refusal_text(body: bytes) -> str:
    """The text of an error's body, on one line."""
    try:
        return error_text(loads(body))
    except (orjson.JSONDecodeError, TooLarge):
        return " ".join(body[:SHAPE_LIMIT].decode(errors="replace").split())
