"""Requests before the chat that gave what it needs: ids in its path, tokens in its headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from connectors.spec.handshake import TAKEN
from targets.learning.credentials.concealed import Secrets
from targets.learning.recorded.exchange import CLOSE, OPEN, Exchange, Path, leaves, replaced, words
from targets.learning.text_like import bare, is_id
from targets.learning.written import constant, own_headers, path_text
from targets.secret_names import is_secret_name, snake_case

DEEPEST: Final = 3
LOOKED_AT: Final = 200
SHORTEST: Final = 6
_MARK: Final = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
LIFETIMES: Final = words("ttl ttlseconds expires expiresin expiresat expiry exp validfor maxage")
VAGUE: Final = frozenset({"key", "id", "value", "name"})
"""Keys that say little without the one before them."""
Step = dict[str, Any]


def with_handshake(now: Exchange, earlier: Sequence[Exchange], secrets: Secrets) -> tuple[Exchange, list[Step]]:
    """The exchange with `saved` values in the places of what earlier answers gave, and the steps that give them."""
    steps: list[Step] = []
    return _needed(now, earlier, secrets, steps, 0), steps


def _needed(now: Exchange, earlier: Sequence[Exchange], secrets: Secrets, steps: list[Step], depth: int) -> Exchange:
    for value, shown in _values(now, secrets):
        for number, source in reversed(list(enumerate(earlier))[-LOOKED_AT:]):
            path = _found(source, value)
            if path is not None:
                name = _save(source, path, earlier[:number], secrets, steps, depth)
                now = _put(now, shown, f"{OPEN}saved.{name}{CLOSE}")
                break
    return now


def _values(now: Exchange, secrets: Secrets) -> Iterator[tuple[str, str]]:
    """What may have been given before, and how it stands in the request: itself, or the mark of a secret."""
    texts = [
        *map(unquote, re.split(r"[/?&=]", now.url)),
        *(value for _, value in leaves(now.body) if isinstance(value, str)),
    ]
    texts += [value for _, value in now.headers]
    for text in dict.fromkeys(texts):
        if is_id(text):
            yield text, text
        for name in _MARK.findall(text):
            if len(secrets.values.get(name, "")) >= SHORTEST:
                yield secrets.values[name], f"{OPEN}{name}{CLOSE}"


def _found(source: Exchange, value: str) -> Path | None:
    answer = source.answer
    if answer is None or not answer.fine or answer.kind != "json" or not answer.documents:
        return None
    return next((path for path, one in leaves(answer.documents[0]) if one == value and path), None)


def _save(
    source: Exchange, path: Path, earlier: Sequence[Exchange], secrets: Secrets, steps: list[Step], depth: int
) -> str:
    """The name under which the step of that exchange saves the value; the step is added if it is not there."""
    step = next((one for one in steps if one["of"] is source), None)
    if step is None:
        before = earlier if depth < DEEPEST else ()
        step = {"of": source, **_request(_needed(source, before, secrets, steps, depth + 1), steps), "save": {}}
        steps.append(step)
    where = path_text(path)
    taken = {name for one in steps for name, other in one["save"].items() if one is not step or other != where}
    name = _name(path, taken)
    step["save"][name] = where
    if is_secret_name(str(path[-1])) and (lifetime := _lifetime(source)):
        step["expires"] = lifetime
    return name


def _lifetime(source: Exchange) -> str:
    """Where the answer says how long its token holds; empty: nowhere."""
    documents = source.answer.documents if source.answer is not None else []
    return next(
        (
            path_text(path)
            for document in documents[:1]
            for path, value in leaves(document)
            if path and bare(path[-1]) in LIFETIMES and isinstance(value, int) and not isinstance(value, bool)
        ),
        "",
    )


def _name(path: Path, taken: set[str]) -> str:
    """A saved value's name: its key, and what that is a key or an id of."""
    keys = [re.sub(r"[^a-z0-9]+", "_", snake_case(key)).strip("_") for key in path if isinstance(key, str)]
    own = keys[-2:] if keys and keys[-1] in VAGUE else keys[-1:]
    name = re.sub(r"^(?=[^a-z])", "value_", "_".join(own)[:40]) or "value"
    number = 2
    made = name
    while made in taken:
        made, number = f"{name}_{number}", number + 1
    return made


def _request(source: Exchange, steps: list[Step]) -> Step:
    parts = source.parts
    named = [word for word in re.split(r"[^a-z0-9]+", parts.path.lower()) if word[:1].isalpha() and not is_id(word)]
    name = (named[-1] if named else "step")[:24]
    taken = {one["name"] for one in steps} | TAKEN
    made: Step = {
        "name": name if name not in taken else f"{name}_{len(steps) + 1}",
        "method": source.method,
        "url": constant(source.url),
    }
    headers = {key: value for key, value in own_headers(source).items() if key.lower() != "cookie"}
    body = None if source.body is None else constant(source.body)
    if body is not None and source.encoding in {"form", "multipart"}:
        made["encoding"] = source.encoding
    return made | ({"headers": headers} if headers else {}) | ({} if body is None else {"body": body})


def spec_of(steps: list[Step], origin: str) -> dict[str, Any]:
    """`handshake` of a target at `origin`."""
    made = []
    for step in steps:
        url = step["url"].removeprefix(origin) if step["url"].startswith(f"{origin}/") else step["url"]
        made.append({key: value for key, value in step.items() if key != "of"} | {"url": url})
    return {"steps": made}


def _put(now: Exchange, shown: str, mark: str) -> Exchange:
    changes = {
        path: value.replace(shown, mark)
        for path, value in leaves(now.body)
        if isinstance(value, str) and shown in value
    }
    return replace(
        now,
        url=now.url.replace(shown, mark),
        headers=tuple((name, value.replace(shown, mark)) for name, value in now.headers),
        body=replaced(now.body, changes) if changes else now.body,
    )
