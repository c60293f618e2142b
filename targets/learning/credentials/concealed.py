"""Finds the secrets in a recorded request and puts marks in their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_plus

import orjson

from targets.learning.credentials.credential_like import KNOWN, is_private_part, known_in, looks_secret, names_an_id
from targets.learning.histories import histories
from targets.learning.recorded.answers import document
from targets.learning.recorded.exchange import CLOSE, NO_JSON, OPEN, Exchange, Path, at, leaves, replaced
from targets.learning.text_like import bare
from targets.learning.written import path_text
from targets.secret_names import is_secret_name, snake_case

SHORTEST: Final = 6
"""Characters of a value that is looked for in other places too."""
_HEADER: Final = re.compile(
    r"api-?key|subscription-?key|token|secret|auth|session|signature|password|credential|csrf|xsrf"
)
_QUERY: Final = frozenset({"key", "sig", "signature", "code", "ticket"})
_SAID: Final = frozenset(
    {
        "message", "prompt", "question", "query", "text", "content", "q", "msg", "input", "inputs", "utterance", "ask",
        "usermessage", "userinput", "chatinput", "inputtext", "messagetext",
    }
)  # fmt: skip
"""Keys of what a person said: only what says that it is a credential is taken out of it."""
_FIELD: Final = re.compile(r"""((?<![\w-])([\w-]{2,}+)["']?[ ]?[=:>][ ]?["']?)([^\s"'<>&,;{}]{1,400})""")
_DEEP: Final = re.compile(r"^(?:credentials?|password|secrets?)$")
"""Keys under which everything is a secret."""
_THREADS: Final = re.compile(r"^(?:conversation|thread|session|chat|dialog|room|channel|run|message|user|visitor)s?$")
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
    url = _of_path(_of_query(exchange.url.partition("#")[0], secrets), secrets)
    body, socketio = (_marked(value, secrets) for value in (exchange.body, exchange.socketio))
    text_body = exchange.body_text if exchange.body is not None else _of_text(exchange.body_text, secrets)
    for frame in exchange.frames[:-1]:
        _in_json(frame, secrets)
    for text in _texts(exchange):
        for number, found in enumerate(known_in(text)):
            if number < 20 and not any(value in found for value in secrets.values.values()):
                secrets.mark("secret", found)
    return replace(
        exchange,
        headers=tuple((name, secrets.hidden(value)) for name, value in headers),
        url=secrets.hidden(url),
        body=_hidden(body, secrets),
        unsure=(*exchange.unsure, *numbers(exchange.body, body)),
        socketio=_hidden(socketio, secrets),
        body_text=secrets.hidden(text_body),
        frames=tuple(map(secrets.hidden, exchange.frames)),
    )


def _marked(document: Any, secrets: Secrets) -> Any:
    talks = [one.path for one in histories(document)]
    changes: dict[Path, Any] = {}
    for path, value in leaves(document):
        if not path or isinstance(value, bool) or value in (None, "") or any(path[: len(t)] == t for t in talks):
            continue
        name = _secret_of(document, path, str(value))
        if name:
            changes[path] = secrets.mark(snake(name), str(value))
        elif isinstance(value, str) and (inner := _in_json(value, secrets)) != value:
            changes[path] = inner
    return replaced(document, changes) if changes else document


def numbers(recorded: Any, marked: Any) -> Iterator[str]:
    """Which numbers became secrets."""
    for path, value in leaves(recorded):
        if not isinstance(value, str | None) and at(marked, path) != value:
            yield f"body.{path_text(path)} is a number: the secret in its place is sent as a text"


def _of_text(text: str, secrets: Secrets) -> str:
    """Of a body that is neither JSON nor a form: what stands beside the name of a secret."""

    def marked(found: re.Match[str]) -> str:
        return found[1] + secrets.mark(snake(found[2]), found[3]) if is_secret_name(found[2]) else found[0]

    return _FIELD.sub(marked, text)


def _secret_of(document: Any, path: Path, value: str) -> str:
    """The name under which a value is a secret; empty: it is none."""
    keys = [str(key) for key in path if isinstance(key, str)]
    last = keys[-1] if keys else ""
    if OPEN in value:
        return ""
    if is_secret_name(last) or any(_DEEP.match(bare(key)) for key in keys[:-1]):
        return last
    if is_private_part(document, path):
        return f"jwk_{last}"
    named = at(document, (*path[:-1], "name")) or at(document, (*path[:-1], "key")) if last == "value" else None
    if isinstance(named, str) and is_secret_name(named):
        return named
    if bare(last) in _SAID:
        return ""
    return (last or "secret") if looks_secret(value) and not (names_an_id(last) and not KNOWN.search(value)) else ""


def _in_json(text: str, secrets: Secrets) -> str:
    """A text that is itself JSON, perhaps too deep or cut off, with marks for the secrets in it."""
    if (found := document(text)) is NO_JSON:
        return _of_text(text, secrets) if text.startswith(("{", "[{", "[[")) else text
    marked = _marked(found, secrets)
    return text if marked == found else orjson.dumps(marked).decode()


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
    if _HEADER.search(low) or is_secret_name(low) or (not names_an_id(low) and looks_secret(value)):
        return secrets.mark(snake(low), value)
    return value


def _of_query(url: str, secrets: Secrets) -> str:
    head, asked, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    hidden = [
        f"{name}={secrets.mark(snake(name), unquote(value))}"
        if value and _is_secret_field(unquote(name), unquote_plus(value))
        else f"{name}{equals}{value}"
        for name, equals, value in pairs
    ]
    return f"{head}{asked}{'&'.join(hidden)}"


def _is_secret_field(name: str, value: str) -> bool:
    if snake_case(name) in _QUERY or is_secret_name(name):
        return True
    return not names_an_id(name) and bare(name) not in _SAID and looks_secret(value)


def _of_path(url: str, secrets: Secrets) -> str:
    head, asked, query = url.partition("?")
    scheme, slashes, rest = head.partition("://")
    parts = rest.split("/")
    for number, part in enumerate(parts[1:], 1):
        value, before = unquote(part), parts[number - 1]
        named = number > 1 and is_secret_name(before) and len(value) >= SHORTEST
        if OPEN not in part and (named or (looks_secret(value) and not _THREADS.match(before.lower()))):
            parts[number] = secrets.mark("path_secret", value)
    return f"{scheme}{slashes}{'/'.join(parts)}{asked}{query}"


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
