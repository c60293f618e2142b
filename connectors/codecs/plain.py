"""Codecs without encryption: base64, gzip, a text in a field of a JSON object, and plain text."""

from __future__ import annotations

import gzip
import zlib
from typing import Any, Final

import orjson
from pydantic import Field

from connectors.codecs.base import WithOptions
from connectors.codecs.binary import from_wire, to_wire
from connectors.content.decoding import loads, mended
from connectors.errors import BadRequest, TooLarge
from connectors.spec import Frozen

GZIP_LIMIT: Final = 32 * 1024 * 1024
"""Bytes that one message may have when it is unpacked."""
GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


class NoOptions(Frozen):
    pass


class Base64(WithOptions[NoOptions]):
    name = "base64"
    shape = NoOptions

    def encode(self, data: bytes) -> bytes:
        return to_wire(data, "base64")

    def decode(self, data: bytes) -> bytes:
        try:
            return from_wire(data, "base64")
        except ValueError:
            raise self.failed("the text is not base64") from None


class Gzip(WithOptions[NoOptions]):
    """One member: many of them would cost a hostile target little, and us much."""

    name = "gzip"
    shape = NoOptions

    def encode(self, data: bytes) -> bytes:
        return gzip.compress(data, 6, mtime=0)

    def decode(self, data: bytes) -> bytes:
        inflater = zlib.decompressobj(GZIP_FORMAT)
        try:
            found = inflater.decompress(data, GZIP_LIMIT + 1)
        except zlib.error:
            raise self.failed("it is not gzip") from None
        if len(found) > GZIP_LIMIT:
            raise self.failed(f"it unpacks to more than {GZIP_LIMIT >> 20} MiB")
        if not inflater.eof:
            raise self.failed("it is cut off")
        if inflater.unused_data:
            raise self.failed("there is data after its end")
        return found


class FieldOptions(Frozen):
    field: str = Field(min_length=1)


class JsonField(WithOptions[FieldOptions]):
    """The text is the value of one key: `{"data": "<text>"}`."""

    name = "json-field"
    shape = FieldOptions

    def encode(self, data: bytes) -> bytes:
        try:
            return orjson.dumps({self.options.field: data.decode()})
        except UnicodeDecodeError:
            raise BadRequest("request_invalid", f"{self.name}: bytes are not text", "put base64 before it") from None

    def decode(self, data: bytes) -> bytes:
        try:
            message: Any = loads(data)
        except (orjson.JSONDecodeError, TooLarge):
            raise self.failed("it is not JSON") from None
        text = message.get(self.options.field) if isinstance(message, dict) else None
        if not isinstance(text, str):
            raise self.failed(f"it is not an object with a text as {self.options.field!r}")
        return mended(text).encode()


class TextOptions(Frozen):
    field: str = Field("text", min_length=1)


class PlainText(WithOptions[TextOptions]):
    """Plain text on the wire, and in the mapping the value of one key: the opposite of `json-field`."""

    name = "text"
    shape = TextOptions

    def encode(self, data: bytes) -> bytes:
        try:
            message: Any = loads(data)
        except (orjson.JSONDecodeError, TooLarge):
            message = None
        text = message.get(self.options.field) if isinstance(message, dict) else None
        if not isinstance(text, str):
            field = self.options.field
            raise BadRequest("request_invalid", f"{self.name}: the body is not an object with a text as {field!r}")
        return mended(text).encode()

    def decode(self, data: bytes) -> bytes:
        try:
            return orjson.dumps({self.options.field: data.decode("utf-8-sig")})
        except UnicodeDecodeError:
            raise self.failed("it is not UTF-8") from None
