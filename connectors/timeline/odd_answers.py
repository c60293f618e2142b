"""Reads answers that are not strictly JSON, and refusals."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.content.decoding import is_too_deep, lenient, loads, plain_text
from connectors.content.foreign import not_json, page
from connectors.content.sniff import is_page
from connectors.content.wording import SHAPE_LIMIT, error_text, shape
from connectors.errors import BadAnswer, BrokenTransport, TooLarge
from connectors.mapping.answers.part import Part
from connectors.mapping.answers.paths import Getter

COMPARE = "compare the target's response mapping with the shape shown"
TEXT_CHARS = 4 * 1024 * 1024
"""Characters of one answer's text: far more than anybody reads, and held in memory, up to four bytes each, twice."""


def read_leniently(data: bytes, error: orjson.JSONDecodeError, charset: str | None) -> Any:
    """What orjson refused with `error`, if it can be read all the same. Raises BadAnswer (`json_invalid`),
    BrokenTransport (`utf8_invalid`) or TooLarge (`message_too_deep`)."""
    try:
        return lenient(data, error, charset)
    except orjson.JSONDecodeError:
        pass
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise BrokenTransport("utf8_invalid", f"byte {exc.start} of an answer is not UTF-8") from exc
    if is_too_deep(error):
        raise TooLarge("message_too_deep", "the JSON of an answer is nested too deeply") from error
    raise not_json(text, error) from error


def told_by(data: bytes, charset: str | None, find_error: Getter | None) -> str:
    """The text of a refusal's body. `find_error`: where the mapping has errors."""
    try:
        message = loads(data, charset)
    except orjson.JSONDecodeError:
        text = " ".join(plain_text(data[:SHAPE_LIMIT], charset).split())
        return f"{page(data).what}: {text}" if is_page(data) else text
    error = find_error(message) if find_error else None
    return error_text(error if error else message)


def not_text(value: Any, part: Part) -> BadAnswer:
    return BadAnswer("answer_unmatched", f"what is at {part.text_at} is not text: it has {shape(value)}", COMPARE)


def endless_text() -> TooLarge:
    return TooLarge("body_too_large", f"the answer's text has more than {TEXT_CHARS} characters")
