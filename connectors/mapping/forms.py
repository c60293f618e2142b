"""Bodies of requests that are not JSON: forms and plain text. A text is sent as it is, whatever the encoding."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

from attachments.attachment import Attachment
from connectors.content.decoding import dumps
from connectors.errors import BadRequest
from connectors.mapping.addresses import encoded
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.filters import as_text
from connectors.mapping.templates import absent, compile_value, value_of
from connectors.opaque.tokens import MARK, MARK_BYTES, in_json
from connectors.spec import SpecError

BOUNDARY: Final = f"token-burn-{secrets.token_hex(16)}"
"""Between the parts of a form: new in each process, so that no value can hold it by chance."""
CONTENT_TYPES: Final = {
    "form": "application/x-www-form-urlencoded",
    "multipart": f"multipart/form-data; boundary={BOUNDARY}",
    "text": "text/plain; charset=utf-8",
}
FILE_KEYS: Final = frozenset({"filename", "content", "base64", "type"})
_QUOTED: Final = {'"': "%22", "\r": "%0D", "\n": "%0A"}
_CONTENT_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:; *[\w-]+=[\w.\"-]+)*")


class FormBody:
    """A body of `encoding` form, multipart or text. Raises SpecError when built."""

    def __init__(self, template: Any, encoding: str, where: str, fold: Context) -> None:
        self._template = template
        self._where = where
        self._write: Callable[[dict[str, Any]], bytes] | None = {
            "form": self._form,
            "multipart": self._multipart,
        }.get(encoding)
        self._value = compile_value(template, where, fold)
        try:
            self._constant = None if self._value.render else self._bytes(self._value.value, fold)
        except BadRequest as exc:
            raise SpecError(exc.detail) from exc

    def render(self, context: Context) -> bytes:
        """Raises BadRequest."""
        return self._constant if self._constant is not None else self._bytes(value_of(self._value, context), context)

    def _bytes(self, value: Any, context: Context) -> bytes:
        if value is MISSING:
            raise absent(self._where, str(self._template), context)
        if isinstance(value, dict) and self._write is not None:
            return self._write(value)
        if isinstance(value, str) and self._write != self._multipart:
            return self._utf8(value)
        wanted = "a text" if self._write is None else "an object of its fields"
        raise _refused(self._where, f"it must be {wanted}")

    def _form(self, value: dict[str, Any]) -> bytes:
        pairs = ((encoded(name, at), encoded(text, at)) for name, at, text in self._fields(value))
        return "&".join(f"{name}={text}" for name, text in pairs).encode()

    def _multipart(self, value: dict[str, Any]) -> bytes:
        out = []
        for name, at, item in self._fields(value, files=True):
            head = f'Content-Disposition: form-data; name="{self._quoted(name, at)}"'
            if isinstance(item, Attachment):
                head += f'; filename="{self._quoted(item.name, at)}"\r\nContent-Type: {item.type}'
                data = item.data
            elif isinstance(item, dict):
                more, data = self._file(item, at)
                head += more
            else:
                data = self._utf8(item)
            if BOUNDARY.encode() in data:
                raise _refused(at, "it holds the boundary of the form")
            out.append(b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY.encode(), self._utf8(head), data))
        return b"".join([*out, b"--%b--\r\n" % BOUNDARY.encode()])

    def _fields(self, value: dict[str, Any], *, files: bool = False) -> Iterator[tuple[str, str, Any]]:
        """Name, place and text of each field; those of a list have one name. `files`: a file is left as it is."""
        for name, given in value.items():
            at = f"{self._where}.{name}"
            for item in given if isinstance(given, list) else [given]:
                if item is None or item is MISSING:
                    continue
                is_file = files and (isinstance(item, Attachment) or (isinstance(item, dict) and "filename" in item))
                yield name, at, item if is_file else self._text(item, at)

    def _text(self, value: Any, at: str) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        try:
            if not isinstance(value, dict | list):
                return as_text(value)
            data = dumps(value)
        except (TypeError, ValueError) as exc:
            raise _refused(at, str(exc)) from exc
        return (in_json(data) if MARK_BYTES in data else data).decode()

    def _file(self, item: dict[str, Any], at: str) -> tuple[str, bytes]:
        """The rest of a part's head, and its bytes."""
        if item.keys() - FILE_KEYS or ("content" in item) == ("base64" in item):
            raise _refused(at, "a file has filename, content or base64, and perhaps type")
        kind = self._text(item.get("type", "application/octet-stream"), at)
        if not _CONTENT_TYPE.fullmatch(kind) or MARK in kind:
            raise _refused(at, "type is not a content type, such as text/plain")
        head = f'; filename="{self._quoted(item["filename"], at)}"\r\nContent-Type: {kind}'
        if "content" in item:
            return head, self._utf8(self._text(item["content"], at))
        try:
            packed = self._text(item["base64"], at)
            if MARK in packed:
                raise _refused(at, "a secret cannot stand in what is base64 already")
            return head, base64.b64decode(packed, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise _refused(at, "base64 is not base64") from exc

    def _quoted(self, name: Any, at: str) -> str:
        text = self._text(name, at)
        if MARK in text:
            raise _refused(at, "a secret cannot be the name of a field or a file")
        return "".join(_QUOTED.get(char, char) for char in text)

    def _utf8(self, text: str) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError as exc:
            raise _refused(self._where, f"it is not valid Unicode: {exc.reason}") from exc


def _refused(where: str, what: str) -> BadRequest:
    return BadRequest("request_invalid", f"{where}: {what}")
