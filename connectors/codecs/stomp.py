"""STOMP frames (1.0 to 1.2) as documents: `{"command": "SEND", "headers": {"destination": "/app"}, "body": "Hi"}`."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from connectors.codecs.base import WithOptions
from connectors.codecs.plain import NoOptions
from connectors.content.decoding import is_too_deep, loads
from connectors.errors import BadRequest, TooLarge

UNESCAPED: Final = frozenset({"CONNECT", "CONNECTED"})
"""Commands whose headers are as they are, for versions before 1.2."""
COMMAND: Final = re.compile(r"[A-Z]{1,32}")
TO_WIRE: Final = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", ":": "\\c"}
FROM_WIRE: Final = {written: plain for plain, written in TO_WIRE.items()}
_SPECIAL: Final = re.compile(r"[\\\r\n:]")
_ESCAPED: Final = re.compile(r"\\.", re.DOTALL)
END: Final = b"\x00"


class Stomp(WithOptions[NoOptions]):
    """A `body` that is an object or a list is JSON on the wire, in both directions; another one is text. A line break
    alone, which is how STOMP keeps a connection alive, stays as it is, and is nothing when it comes."""

    name = "stomp"
    shape = NoOptions

    def encode(self, data: bytes) -> bytes:
        if not data.strip(b"\r\n"):
            return data
        try:
            frame: Any = loads(data)
        except (orjson.JSONDecodeError, TooLarge):
            frame = None
        if type(frame) is not dict or not COMMAND.fullmatch(str(frame.get("command"))):
            raise self._refused('the body is not {"command", "headers", "body"}')
        headers = frame.get("headers", {})
        if type(headers) is not dict or not frame.keys() <= {"command", "headers", "body"}:
            raise self._refused("a frame has `command`, `headers` (an object) and `body`")
        command, body = frame["command"], frame.get("body")
        content = b"" if body is None else body.encode() if type(body) is str else orjson.dumps(body)
        lines = [command, *(self._line(command, name, value) for name, value in headers.items())]
        if content:
            lines.append(f"content-length:{len(content)}")
        return "\n".join([*lines, "", ""]).encode() + content + END

    def _line(self, command: str, name: str, value: Any) -> str:
        if type(value) not in {str, int, float, bool}:
            raise self._refused(f"the header {name!r} is neither a text nor a number")
        pair = [name, value if type(value) is str else orjson.dumps(value).decode()]
        if command not in UNESCAPED:
            return ":".join(_SPECIAL.sub(lambda found: TO_WIRE[found[0]], part) for part in pair)
        if any("\n" in part or "\r" in part for part in pair) or ":" in name:
            raise self._refused(f"the header {name!r} of {command} has a line break or a colon in it")
        return ":".join(pair)

    def _refused(self, what: str) -> BadRequest:
        return BadRequest("request_invalid", f"{self.name}: {what}")

    def decode(self, data: bytes) -> bytes:
        frame = data.lstrip(b"\r\n")
        if not frame:
            return b""
        head, content = self._parts(frame)
        try:
            command, *lines = head.decode().replace("\r\n", "\n").split("\n")
        except UnicodeDecodeError:
            raise self.failed("the headers are not UTF-8") from None
        if not COMMAND.fullmatch(command):
            raise self.failed("it is not a STOMP frame")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            plain = (name, value) if command in UNESCAPED else (self._plain(name), self._plain(value))
            headers.setdefault(*plain)  # of several by one name, the first counts
        size = self._size(headers, content)
        content, rest = content[:size], content[size:]
        if rest.strip(b"\x00\r\n"):
            raise self.failed("there is more than one frame in a message")
        return self._document(command, headers, content)

    @staticmethod
    def _size(headers: dict[str, str], content: bytes) -> int:
        """Of the body: what the frame tells, if a frame ends there (some count letters instead of bytes), else up to
        the first NUL."""
        told = headers.get("content-length", "")
        if told.isascii() and told.isdecimal() and len(told) < 12 and content[int(told) : int(told) + 1] == END:
            return int(told)
        found = content.find(END)
        return len(content) if found < 0 else found

    def _parts(self, frame: bytes) -> tuple[bytes, bytes]:
        """Before and behind the empty line."""
        for gap in (b"\n\n", b"\r\n\r\n"):
            head, found, content = frame.partition(gap)
            if found and END not in head:
                return head, content
        raise self.failed("its headers have no end")

    def _plain(self, text: str) -> str:
        if "\\" not in text:
            return text
        try:
            return _ESCAPED.sub(lambda found: FROM_WIRE[found[0]], text)
        except KeyError:
            raise self.failed("a header has an escape that STOMP does not know") from None

    def _document(self, command: str, headers: dict[str, str], content: bytes) -> bytes:
        document = b'{"command":%b,"headers":%b,"body":' % (orjson.dumps(command), orjson.dumps(headers))
        if content[:1] in {b"{", b"["} and self._is_json(content):
            return document + content + b"}"
        try:
            return document + orjson.dumps(content.decode()) + b"}"
        except UnicodeDecodeError:
            raise self.failed("the body is not UTF-8") from None

    @staticmethod
    def _is_json(content: bytes) -> bool:
        """Also if it is nested too deeply, which whoever reads the document says."""
        try:
            loads(content)
        except TooLarge:
            return True
        except orjson.JSONDecodeError as exc:
            return is_too_deep(exc)
        return True
