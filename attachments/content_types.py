"""What kind of file an attachment is: by its name, its content type and its first bytes."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

BY_SUFFIX: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "heic": "image/heic",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "pdf": "application/pdf",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "xml": "text/xml",
}
UNKNOWN: Final = "application/octet-stream"
KINDS: Final = ("image", "audio", "video", "text", "file")
"""Of attachments, as targets distinguish them."""
CONTENT_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,60}/[\w!#$&^.+-]{1,100}", re.ASCII)
_FORMATS: Final = {kind: suffix for suffix, kind in BY_SUFFIX.items()} | {"audio/x-wav": "wav", "audio/mp3": "mp3"}
_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF8", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"WAVE", 8, "audio/wav"),
    (b"%PDF-", 0, "application/pdf"),
)
_SAME: Final = {"image/jpg": "image/jpeg", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav"}
"""Other names of these types."""


def type_of_name(name: str) -> str:
    return BY_SUFFIX.get(PurePath(name).suffix[1:].lower(), UNKNOWN)


def type_of_bytes(data: bytes) -> str | None:
    """None: it is none of those that are told by their first bytes."""
    return next((kind for mark, at, kind in _STARTS if data.startswith(mark, at)), None)


def contradicts(given: str, data: bytes) -> str | None:
    """What `data` is, if that is one of the types known by their first bytes, and `given` is another of them."""
    found, known = type_of_bytes(data), _SAME.get(given, given)
    return found if found is not None and found != known and known in {kind for *_, kind in _STARTS} else None


def kind_of_type(content_type: str) -> str:
    """One of KINDS."""
    first = content_type.partition("/")[0]
    return first if first in KINDS else "file"


def format_of(content_type: str) -> str:
    """The type in one word, as some dialects have it: `png`, `jpeg`, `wav`, `mp3`, `pdf`, `txt`."""
    return _FORMATS.get(content_type) or content_type.partition("/")[2].removeprefix("x-")
