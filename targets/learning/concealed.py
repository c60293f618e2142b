"""Finds the secrets in a recorded request and puts marks in their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, unquote

from targets.learning.recorded.exchange import CLOSE, OPEN, Exchange, leaves, replaced
from targets.secret_names import is_secret_name, snake_case

SHORTEST: Final = 6
"""Characters of a value that is looked for in other places too."""
_HEADER: Final = re.compile(
    r"api-?key|subscription-?key|token|secret|auth|session|signature|password|credential|csrf|xsrf"
)
_QUERY: Final = frozenset({"key", "sig", "signature", "code", "ticket"})
_LOOKS: Final = re.compile(
    r"\b(?:sk|pk|rk)-[\w-]{16,200}|\beyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]{4,2000}|\bAKIA[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,200}|"
    r"\bxox[abprs]-[\w-]{10,200}|\bAIza[\w-]{30,50}"
)
_SCHEME: Final = re.compile(r"(?i)^(bearer|basic|token|apikey|key)\s+(\S.*)$")


@dataclass
class Secrets:
    """By name, as they were recorded. Their values leave memory only for a trial."""

    values: dict[str, str] = field(default_factory=dict, repr=False)

    def mark(self, name: str, value: str) -> str:
        """What stands for `value`; the same value has one name."""
        known = next((old for old, one in self.values.items() if one == value), None)
        if known is None:
            known, number = name, 2
            while known in self.values:
                known, number = f"{name}_{number}", number + 1
            self.values[known] = value
        return f"{OPEN}{known}{CLOSE}"

    def hidden(self, text: str) -> str:
        """`text` with marks for all secrets that are known."""
        for name, value in self.values.items():
            if len(value) >= SHORTEST:
                for form in {value, quote(value, safe="")}:
                    text = text.replace(form, f"{OPEN}{name}{CLOSE}")
        return text


def snake(name: str) -> str:
    """A header's or a field's name as that of a secret."""
    bare = re.sub(r"[^a-z0-9]+", "_", snake_case(name)).strip("_")
    bare = re.sub(r"^(?:x|http)_", "", bare)
    if re.search(r"api_?key$|^(?:goog_)?key$|subscription_key$", bare):
        return "api_key"
    return bare[:40] if bare[:1].isalpha() else f"secret_{bare[:30]}".rstrip("_")


def conceal(exchange: Exchange, secrets: Secrets) -> Exchange:
    """The request with marks; its answer stays."""
    headers = tuple((name, _header(name, value, secrets)) for name, value in exchange.headers)
    url = _of_query(exchange.url, secrets)
    body, socketio = (_marked(value, secrets) for value in (exchange.body, exchange.socketio))
    for text in _texts(exchange):
        for number, found in enumerate(_LOOKS.finditer(text)):
            if number < 20 and not any(value in found[0] for value in secrets.values.values()):
                secrets.mark("secret", found[0])
    return replace(
        exchange,
        headers=tuple((name, secrets.hidden(value)) for name, value in headers),
        url=secrets.hidden(url),
        body=_hidden(body, secrets),
        socketio=_hidden(socketio, secrets),
        body_text=secrets.hidden(exchange.body_text),
        frames=tuple(map(secrets.hidden, exchange.frames)),
    )


def _marked(document: Any, secrets: Secrets) -> Any:
    changes = {
        path: secrets.mark(snake(str(path[-1])), value)
        for path, value in leaves(document)
        if path and isinstance(value, str) and value and is_secret_name(str(path[-1]))
    }
    return replaced(document, changes) if changes else document


def _header(name: str, value: str, secrets: Secrets) -> str:
    low = name.lower()
    if not value:
        return value
    if low in {"authorization", "proxy-authorization"}:
        if found := _SCHEME.match(value):
            kind = "basic" if found[1].lower() == "basic" else "api_key"
            return f"{found[1]} {secrets.mark(kind, found[2])}"
        return secrets.mark("api_key", value)
    if low == "cookie":
        return secrets.mark("cookie", value)
    return secrets.mark(snake(low), value) if _HEADER.search(low) else value


def _of_query(url: str, secrets: Secrets) -> str:
    head, asked, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    hidden = [
        f"{name}={secrets.mark(snake(name), unquote(value))}"
        if value and (snake_case(name) in _QUERY or is_secret_name(name))
        else f"{name}{equals}{value}"
        for name, equals, value in pairs
    ]
    return f"{head}{asked}{'&'.join(hidden)}"


def _texts(exchange: Exchange) -> Iterator[str]:
    yield unquote(exchange.url)
    yield from (value for _, value in exchange.headers)
    yield exchange.body_text[:200_000]
    yield from (value for _, value in leaves(exchange.body) if isinstance(value, str))


def _hidden(body: Any, secrets: Secrets) -> Any:
    changes = {
        path: hidden
        for path, value in leaves(body)
        if isinstance(value, str) and (hidden := secrets.hidden(value)) != value
    }
    return replaced(body, changes) if changes else body
