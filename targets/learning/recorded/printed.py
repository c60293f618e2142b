"""Reads exchanges as texts: what `curl -v` or `curl -i` prints, or headers and a body as they came."""

from __future__ import annotations

import re
from typing import Final

from targets.learning.recorded.answers import lines_of, read_answer
from targets.learning.recorded.curl import with_body
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.exchange import Answer, Exchange, checked_url

STATUS: Final = re.compile(r"^HTTP/\d(?:\.\d)? (\d{3})", re.MULTILINE)
REQUEST: Final = re.compile(r"\A([A-Z]{3,7}) (\S+)(?: HTTP/\d(?:\.\d)?)?[ \t]*\r?\n")
_HEADER: Final = re.compile(r"[\w!#$%&'*+.^`|~-]+:")
_VERBOSE: Final = re.compile(r"^(?:[*{}] .*|[><] ?)", re.MULTILINE)


def is_recorded(text: str) -> bool:
    return bool(STATUS.match(text) or REQUEST.match(text) or _VERBOSE.match(text) or read_stream(text))


def read_recorded(text: str) -> tuple[Exchange | None, Answer | None]:
    """The request and the answer; None: it has none of them."""
    if _VERBOSE.match(text):
        text = _VERBOSE.sub("", text).lstrip("\r\n")
    request, answer = split_answer(text)
    if not answer and not REQUEST.match(text):
        return None, read_stream(text)
    found = _request(request) if REQUEST.match(request) else None
    return found, _answer(answer) if answer else None


def split_answer(text: str) -> tuple[str, str]:
    """What stands before the last status line, and what from it on: earlier ones are redirects, or 100 Continue."""
    lines = list(STATUS.finditer(text))
    last = next((line for line in reversed(lines) if not line[1].startswith(("1", "3"))), None)
    return (text, "") if last is None else (text[: lines[0].start()], text[last.start() :])


def _answer(text: str) -> Answer:
    status = STATUS.match(text)
    headers, body = _head(text)
    return read_answer(int(status[1]) if status else 200, headers.get("content-type", ""), body)


def _request(text: str) -> Exchange:
    found = REQUEST.match(text)
    if found is None:
        raise LearnError("the request has no line of the form POST /path HTTP/1.1")
    headers, body = _head(text)
    url = found[2]
    if url.startswith("/"):
        if "host" not in headers:
            raise LearnError("the request has no Host header, so its address is not known: add it")
        url = f"https://{headers['host']}{url}"
    names = tuple((name, value) for name, value in headers.items() if name != "host")
    return with_body(Exchange(found[1], checked_url(url), names), body.strip("\r\n"))


def _head(text: str) -> tuple[dict[str, str], str]:
    """Headers by their names in small letters, and what comes after the empty line."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    pairs = (line.partition(":") for line in lines_of(head)[1:])
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}, body


def read_stream(text: str) -> Answer | None:
    """An answer without a status line: perhaps headers, and its body; None: it is none."""
    first = lines_of(text[:2000])[0]
    kind = ""
    if _HEADER.match(first) and not first.startswith(("data:", "event:", "id:", "retry:")) and "\n\n" in text:
        headers, text = _head(f"\n{text}")
        kind = headers.get("content-type", "")
    answer = read_answer(200, kind, text.lstrip("\r\n"))
    return answer if answer.kind != "text" or kind else None
