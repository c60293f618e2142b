"""Tells what an input is, and reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from inputs.json_limits import NO_TEXT, TOO_DEEP, BoundedDecoder, json_problem
from targets.learning.recorded.curl import START, is_curl, read_curl
from targets.learning.recorded.errors import BODY_CHARS, INPUT_BYTES, LearnError
from targets.learning.recorded.exchange import Answer, Exchange, clean
from targets.learning.recorded.har import read_har
from targets.learning.recorded.openapi import read_openapi
from targets.learning.recorded.printed import is_recorded, read_recorded, split_answer

YAML_CHARS: Final = 2_000_000
WANTED: Final = "give a curl line, a HAR file, an OpenAPI document, or a recorded answer with its headers"


@dataclass
class Recorded:
    """All that was read. `kinds`: what the inputs are, in words."""

    exchanges: list[Exchange] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    @property
    def documented(self) -> bool:
        """Whether all is from descriptions, and nothing was recorded."""
        return set(self.kinds) == {"an OpenAPI document"}


def read_inputs(inputs: Sequence[bytes | str], url: str = "") -> Recorded:
    """Each input is a file's bytes or a text. An answer alone belongs to the last request without one. Raises
    LearnError."""
    found = Recorded()
    for given in inputs:
        _read(found, _text(given), url)
    for answer in found.answers:
        open_ends = [i for i, one in enumerate(found.exchanges) if one.answer is None]
        if open_ends:
            found.exchanges[open_ends[-1]] = replace(found.exchanges[open_ends[-1]], answer=answer)
        else:
            found.exchanges.append(Exchange("POST", url, answer=answer))
    if not found.exchanges:
        raise LearnError(f"there is no request to a chatbot in it: {WANTED}")
    return found


def _text(given: bytes | str) -> str:
    if len(given) > INPUT_BYTES:
        raise LearnError(f"the input is too large: at most {INPUT_BYTES:,} bytes are read")
    if isinstance(given, str):
        return clean(given)
    try:
        return clean(given.decode("utf-16" if given[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise LearnError(f"the input is not text: {WANTED}") from exc


def _read(found: Recorded, text: str, url: str) -> None:
    bare = text.lstrip("\ufeff \t\r\n")
    if not bare:
        raise LearnError(f"the input is empty: {WANTED}")
    data = _document(bare)
    if isinstance(data, dict) and "log" in data:
        found.exchanges += read_har(data)
        found.kinds.append("a HAR file")
    elif isinstance(data, dict) and ("openapi" in data or "swagger" in data):
        if problem := json_problem(data):
            raise LearnError(f"the OpenAPI document {problem}")
        found.exchanges += read_openapi(data, url)
        found.kinds.append("an OpenAPI document")
    elif START.match(bare) or (data is None and is_curl(bare[:BODY_CHARS]) and not is_recorded(bare)):
        _read_curl(found, bare)
    elif is_recorded(bare):
        request, answer = read_recorded(bare)
        found.exchanges += [replace(request, answer=answer)] if request else []
        found.answers += [answer] if answer and not request else []
        found.kinds.append("a recorded exchange" if request else "a recorded answer")
    else:
        raise LearnError(f"the input is none that can be read: {WANTED}")


def _read_curl(found: Recorded, text: str) -> None:
    """Commands, and perhaps what the last one printed."""
    commands, printed = split_answer(text)
    made = read_curl(commands[: 2 * BODY_CHARS])
    if printed and made:
        made[-1] = replace(made[-1], answer=read_recorded(printed)[1])
    found.exchanges += made
    found.kinds.append("a curl line")


def _document(text: str) -> Any:
    """The JSON or YAML document that the input is; None: it is none. Raises LearnError for one beyond the limits."""
    if text.startswith(("openapi:", "swagger:")):
        return _yaml(text)
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text, cls=BoundedDecoder)
    except ValueError:
        return None
    problem = json_problem(found)
    if problem == TOO_DEEP:
        raise LearnError(f"the input {TOO_DEEP}")
    if problem == NO_TEXT:
        return json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
    return found


class _Plain(yaml.SafeLoader):
    """Without aliases, with which a small document can grow without end."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise LearnError("the OpenAPI document has YAML aliases, which are not read: give it as JSON")
        return super().compose_node(parent, index)


def _yaml(text: str) -> Any:
    if len(text) > YAML_CHARS:
        raise LearnError(f"the OpenAPI document has more than {YAML_CHARS:,} characters: give it as JSON")
    try:
        return _Plain(text).get_single_data()
    except LearnError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        raise LearnError("the OpenAPI document is not valid YAML") from exc
