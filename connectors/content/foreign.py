"""Guesses from an answer which protocol a target actually speaks, for error messages. No I/O."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import orjson

from connectors.content.sniff import is_page, is_stream
from connectors.content.styles import EVENTS
from connectors.content.wording import SHAPE_LIMIT
from connectors.errors import BadAnswer

PAGE_BYTES: Final = 64 * 1024
"""Of a page that are looked at."""
LOG_IN_ADVICE: Final = (
    "the target requires a log-in: log in by a handshake, or set its secrets; check that it is the address of an API"
)
PAGE_ADVICE: Final = "this is the address of a web page and not of an API: check the base URL and the preset"
STREAMS_ADVICE: Final = "the target streams its answers: add --stream (a stored target's field `stream`)"
WHOLE_ADVICE: Final = "the target answers as a whole: leave --stream out (a stored target's field `stream`)"
PLAIN_TEXT_ADVICE: Final = "check the address; if the answers are plain text, set response.format to text"
_JSON_BEGINS: Final = frozenset({b"{", b"[", b'"'})
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
_SETTINGS, _GOAWAY = 4, 7
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_PASSWORD = re.compile(rb"<input\b[^>]*\btype\s*=\s*[\"']?password", re.IGNORECASE)
_LOG_IN = re.compile(
    rb"\b(?:log|sign)(?:ging|ing)?[ _-]?(?:in|on)\b|\b(?:sso|oauth2?|saml2?|authn?|idp)\b", re.IGNORECASE
)


class Foreign(NamedTuple):
    """What it is, and what to do about it."""

    what: str
    advice: str


def not_http(first: bytes) -> Foreign | None:
    """What kind of server answers an HTTP/1.1 request with `first`; None: unknown."""
    if first.startswith(_TLS_RECORDS):
        return Foreign("the port speaks TLS", "begin the URL with https:// (wss://, grpcs://)")
    if len(first) >= 9 and first[3] in {_SETTINGS, _GOAWAY} and first[5:9] == bytes(4):
        advice = "set http.version to 2, or enable HTTP/1.1 in the target or the proxy before it"
        return Foreign("the port speaks HTTP/2", advice)
    first = first.lstrip(b"\r\n")
    if first and not b"HTTP/".startswith(first[:5]):
        return Foreign(
            f"the answer begins with {first[:40]!r}", "this port speaks another protocol: check host and port"
        )
    return None


def unanswered_advice(*, tls: bool) -> str:
    """What to do where a new connection was ended without a byte of answer."""
    if tls:
        advice = "if the target asks for a client certificate (mTLS), give tls.cert_file and tls.key_file"
    else:
        advice = "if the port speaks TLS, begin the URL with https:// (wss://, grpcs://)"
    return f"{advice}; else look at the target's log"


def is_log_in(text: str) -> bool:
    """Whether an address or a text indicates a log-in."""
    return _LOG_IN.search(text.encode("ascii", "replace")) is not None


def page(data: bytes) -> Foreign:
    """What a page of HTML is."""
    data = data[:PAGE_BYTES]
    found = _TITLE.search(data)
    title = " ".join(found[1].decode(errors="replace").split())[:80] if found else ""
    what = f"a page of HTML{f' with the title {title!r}' if title else ''}"
    if _PASSWORD.search(data):
        return Foreign(f"{what} that asks for a password", LOG_IN_ADVICE)
    if _LOG_IN.search(found[1] if found else data):
        return Foreign(f"{what}, which seems to be a log-in", LOG_IN_ADVICE)
    return Foreign(what, PAGE_ADVICE)


def not_json(text: str, error: Exception) -> BadAnswer:
    """An answer, or an event of one, that is no JSON."""
    data = text.encode()
    known = _known(data)
    if known is None:
        return BadAnswer("json_invalid", f"{error}: {text[:SHAPE_LIMIT]!r}")
    return BadAnswer("json_invalid", f"expected JSON, got {known.what}", known.advice)


def not_text(data: bytes) -> BadAnswer:
    """A page of HTML where a text was to come."""
    found = page(data)
    return BadAnswer("answer_unmatched", f"expected a text, got {found.what}", found.advice)


def _known(data: bytes) -> Foreign | None:
    begin = repr(data[:SHAPE_LIMIT].decode(errors="replace"))
    if not data.strip():
        return Foreign("an empty answer", "check the address, and that the target answers to this request itself")
    if is_page(data):
        return Foreign(f"{(found := page(data)).what}: {begin}", found.advice)
    if is_stream(EVENTS, data, declared=False):
        return Foreign(f"a stream of server-sent events: {begin}", STREAMS_ADVICE)
    if _in_lines(data):
        return Foreign(f"one JSON document per line: {begin}", STREAMS_ADVICE)
    if data.startswith(b'0{"sid"'):
        return Foreign(f"Engine.IO's open packet: {begin}", "the target speaks Socket.IO: use generic-socketio")
    if data.lstrip().startswith(b"<?xml"):
        return Foreign(f"XML: {begin}", "check the address; if the answers are XML, set response.format to xml")
    if data.lstrip()[:1] not in _JSON_BEGINS:
        return Foreign(f"plain text: {begin}", PLAIN_TEXT_ADVICE)
    return None


def _in_lines(data: bytes) -> bool:
    lines = data[:PAGE_BYTES].split(b"\n", 2)
    if len(lines) < 2 or not lines[1].strip():
        return False
    try:
        return all(type(orjson.loads(line)) is dict for line in lines[:2])
    except orjson.JSONDecodeError:
        return False
