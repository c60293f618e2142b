"""What a decoded answer says or looks like, in a few words: for error messages; and what may help."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.decoding import mended, mended_value
from connectors.errors import TooLarge

SHAPE_LIMIT = 160
"""Characters."""
ONLY_SOCKETIO = "only Socket.IO v3 and v4 over WebSocket are spoken"
REDIRECTED = "the target redirects: give its final address, or set follow_redirects"
STATUS_ADVICE = {
    **dict.fromkeys((301, 302, 303, 307, 308), REDIRECTED),
    401: "the target wants credentials: check its secrets",
    403: "the target lets these credentials not do this: check its secrets, and what they may do",
    404: "nothing at this address: check the base URL, the preset and the model's name",
    407: "the proxy wants credentials: set the secrets proxy_user and proxy_password",
    426: "the target wants another protocol here, such as WebSocket or HTTP/2: check the address and the preset",
    505: "the target does not take HTTP/1.1: switch it on there, or in the proxy before it",
    429: "the target limits the rate: lower the load or ask for a higher limit",
}


def error_text(error: Any) -> str:
    """What an error object says, on one line."""
    while isinstance(error, dict):
        inner = error.get("message") or error.get("detail") or error.get("error") or error.get("code")
        if not inner:
            break
        error = inner
    return " ".join((mended(error) if isinstance(error, str) else _json(error))[:SHAPE_LIMIT].split())


def _json(value: Any) -> str:
    try:
        return orjson.dumps(mended_value(value)).decode()
    except (TypeError, TooLarge):
        return "something nested too deeply to show"  # what was read may be deeper than what can be written


_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}


def shape(message: Any) -> str:
    """The shape of a decoded answer, for an error message: its keys, never its values."""
    if isinstance(message, dict):
        return mended(f"the keys {', '.join(map(str, list(message)[:12])) or '(none)'}"[:SHAPE_LIMIT])
    return f"{_KINDS.get(type(message), 'something else')} at its top"
