"""What a proposal sends as it was recorded although it may be an id or a credential, and what it must leave out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from targets.learning.credentials.credential_like import known_in
from targets.learning.proposal import Proposal
from targets.learning.recorded.exchange import CLOSE, OPEN, leaves
from targets.learning.text_like import UUID, is_date
from targets.learning.written import path_text

LEFT_OUT: Final = "LEFT_OUT"
_RAW: Final = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")
_SECRET: Final = re.compile(r"\{\{ secret\.\w+ }}")
_RUN: Final = re.compile(r"[A-Za-z0-9]+")
MOST: Final = 12


def leave_out(made: Proposal) -> None:
    """Take secrets out of where none may stand: the address, paths, params."""
    if _RAW.search(made.url):
        made.url = _RAW.sub(LEFT_OUT, made.url)
        made.unsure.append(_told("the address"))
    request = made.overrides.get("request", {})
    if isinstance(path := request.get("path"), str):
        request["path"] = _cleared(path, "request.path", made)
    for step in made.overrides.get("handshake", {}).get("steps", ()):
        step["url"] = _cleared(step["url"], f"the URL of the step {step['name']}", made)
    for name in [name for name, value in made.params.items() if _RAW.search(str(value))]:
        del made.params[name]
        made.unsure.append(f"the param {name} looks like a secret, which a param cannot be: it is left out")


def _cleared(text: str, place: str, made: Proposal) -> str:
    head, asked, query = text.partition("?")
    cleared = _SECRET.sub(LEFT_OUT, head)
    if cleared != head:
        made.unsure.append(_told(place))
    return f"{cleared}{asked}{query}"


def _told(place: str) -> str:
    return f"{place} holds what looks like a secret, which cannot stand there: write it in place of {LEFT_OUT}"


def name_shared(made: Proposal) -> None:
    """Say which ids, or unknown credentials, all users will send."""
    found = [*_places(made)]
    for place in found[:MOST]:
        made.unsure.append(f"{place} may be an id or a credential: all users send, and share, the recorded one")
    if len(found) > MOST:
        made.unsure.append(f"and {len(found) - MOST} more")


def _places(made: Proposal) -> Iterator[str]:
    request = made.overrides.get("request", {})
    steps = made.overrides.get("handshake", {}).get("steps", ())
    asks = [("request", request), *((f"handshake.{step['name']}", step) for step in steps)]
    for name, ask in asks:
        for part in ("headers", "body"):
            for path, value in leaves(ask.get(part)):
                if isinstance(value, str) and "{{" not in value and may_be_id(value):
                    yield f"{name}.{part}{'.' if path else ''}{path_text(path)}"
        head, _, query = str(ask.get("path") or ask.get("url") or "").partition("?")
        for number, part in enumerate(head.rpartition("://")[2].split("/")):
            if "{{" not in part and number and may_be_id(unquote(part)):
                yield f"part {number} of {name}'s path"
        for key, _, value in (pair.partition("=") for pair in query.split("&")):
            if "{{" not in value and may_be_id(unquote(value)):
                yield f"{name}'s query field {key[:40]}"


def may_be_id(text: str) -> bool:
    if is_date(text) or len(text) > 4_000 or " " in text:
        return False
    return UUID.fullmatch(text) is not None or any(
        len(run) >= 8 and sum(map(str.isdigit, run)) >= 3 and (len(run) > 8 or not run.isdigit())
        for run in _RUN.findall(text)
    )


def veil(redact: Callable[[str], str]) -> Callable[[str], str]:
    """`redact`, and credentials that stand in an answer alone."""

    def veiled(text: str) -> str:
        text = redact(text)
        for found in [*known_in(text)]:
            text = text.replace(found, "***")
        return text

    return veiled


def keys_of(document: Any) -> str:
    """What a document is, without its values."""
    if isinstance(document, dict):
        return ", ".join(str(key)[:40] for key in list(document)[:8]) or "nothing"
    return type(document).__name__
