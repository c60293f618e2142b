"""One file that goes with a message. What is made of it is made once, however often it is sent."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attachments.content_types import (
    CONTENT_TYPE,
    UNKNOWN,
    contradicts,
    format_of,
    kind_of_type,
    type_of_bytes,
    type_of_name,
)

MAX_BYTES: Final = 20_000_000
"""Of one attachment."""
MAX_NAME: Final = 255
FIELDS: Final = ("name", "type", "kind", "format", "stem", "size", "base64", "data_url", "text")
"""What templates and the parts of a dialect may name."""
CONTENT: Final = frozenset({"base64", "data_url", "text"})
"""Those that hold the file itself."""
_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,")
_NO_STEM: Final = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")


class AttachmentError(ValueError):
    """A file that cannot be an attachment; the message says why."""


class Attachment(Mapping[str, Any]):
    """As templates see it, a mapping with FIELDS; equal only to itself."""

    __slots__ = ("__weakref__", "_data", "_kept", "kind", "name", "size", "type")

    def __init__(self, name: str, content_type: str, data: bytes) -> None:
        """Raises AttachmentError."""
        self._name(name, content_type, len(check_size(data)))
        self._data = data
        if (found := contradicts(content_type, data)) is not None:
            raise AttachmentError(f"{name}: its type is said to be {content_type}, and it is {found}")

    def _name(self, name: str, content_type: str, size: int) -> None:
        self.name = check_name(name)
        self.type = check_type(content_type)
        self.kind = kind_of_type(content_type)
        self.size = size
        self._kept: dict[str, str] = {}

    @property
    def data(self) -> bytes:
        return self._data

    @property
    def told(self) -> str:
        """All that is recorded of it."""
        return f"{self.name}, {self.type}, {self.size:,} bytes"

    def encoded(self) -> str:
        """Its base64, made anew."""
        return binascii.b2a_base64(self.data, newline=False).decode()

    def field(self, name: str) -> str | int:
        """As `[name]`, but nothing is kept. Raises AttachmentError for the text of a file that has none."""
        found: str | int = _FIELDS[name](self)
        return found

    def __getitem__(self, name: str) -> str | int:
        if name not in CONTENT:
            return self.field(name)
        if name not in self._kept:
            self._kept[name] = str(self.field(name))
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(FIELDS)

    def __len__(self) -> int:
        return len(FIELDS)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self.told}>"


class Made(Attachment):
    """One whose bytes are made when they are first needed."""

    __slots__ = ("_make",)

    def __init__(self, name: str, content_type: str, size: int, make: Callable[[], bytes]) -> None:
        """Raises AttachmentError."""
        self._name(name, content_type, size)
        self._make: Callable[[], bytes] | None = make

    @property
    def data(self) -> bytes:
        if self._make is not None:
            self._data, self._make = self._make(), None
        return self._data


def _text(attachment: Attachment) -> str:
    try:
        return attachment.data.decode()
    except UnicodeDecodeError as exc:
        raise AttachmentError(f"{attachment.name}: is no text in UTF-8, and the target wants its text") from exc


_FIELDS: Final[dict[str, Callable[[Attachment], Any]]] = {
    "name": lambda file: file.name,
    "type": lambda file: file.type,
    "kind": lambda file: file.kind,
    "format": lambda file: format_of(file.type),
    "stem": lambda file: _NO_STEM.sub("-", file.name.rpartition(".")[0] or file.name)[:200],
    "size": lambda file: file.size,
    "base64": Attachment.encoded,
    "data_url": lambda file: f"data:{file.type};base64,{file.encoded()}",
    "text": _text,
}


def check_name(name: Any) -> str:
    """Raises AttachmentError."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise AttachmentError(f"name: must be a text of 1 to {MAX_NAME} characters")
    if not name.isprintable():
        raise AttachmentError(f"name: {name[:80]!r} has a control character or another invisible one in it")
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise AttachmentError(f"name: {name[:80]!r} must be the name of a file, without a folder")
    return name


def check_type(content_type: Any) -> str:
    """Raises AttachmentError."""
    if not isinstance(content_type, str) or not CONTENT_TYPE.fullmatch(content_type):
        raise AttachmentError(f"type: {str(content_type)[:80]!r} is not a content type, such as image/png")
    return content_type


def check_size(data: bytes) -> bytes:
    """Raises AttachmentError."""
    if not data:
        raise AttachmentError("the file is empty")
    if len(data) > MAX_BYTES:
        raise AttachmentError(f"the file has {len(data):,} bytes: an attachment has at most {MAX_BYTES:,}")
    return data


def decoded(text: Any) -> tuple[bytes, str]:
    """The bytes of a base64 text or a data URL, and the content type that the latter names. Raises AttachmentError."""
    if not isinstance(text, str):
        raise AttachmentError("base64: must be a text")
    head = _DATA_URL.match(text)
    packed = text if head is None else text[head.end() :]
    if len(packed) > MAX_BYTES * 3 // 2:
        raise AttachmentError(f"base64: has {len(packed):,} characters: an attachment has at most {MAX_BYTES:,} bytes")
    try:
        data = binascii.a2b_base64("".join(packed.split()), strict_mode=True)
    except (binascii.Error, ValueError) as exc:
        raise AttachmentError(f"base64: is not base64: {str(exc).lower()}") from exc
    return check_size(data), "" if head is None else head[1]


def from_base64(text: Any, name: Any = None, content_type: Any = None) -> Attachment:
    """Where no type is given, the name's suffix or the first bytes tell it. Raises AttachmentError."""
    data, named = decoded(text)
    given = content_type if content_type is not None else named or None
    return from_bytes(data, name, given)


def from_bytes(data: bytes, name: Any = None, content_type: Any = None) -> Attachment:
    """The same of bytes."""
    if content_type is None:
        by_name = UNKNOWN if name is None else type_of_name(check_name(name))
        content_type = by_name if by_name != UNKNOWN else type_of_bytes(data) or UNKNOWN
    kind = check_type(content_type)
    return Attachment(f"attachment.{format_of(kind)}" if name is None else name, kind, data)
