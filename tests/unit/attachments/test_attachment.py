"""One attachment: what templates see of it, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from attachments.attachment import MAX_BYTES, Attachment, AttachmentError, from_base64
from attachments.generated import generated

PNG = generated("png", 200, "a").data
PACKED = base64.b64encode(PNG).decode()


def test_templates_see_its_fields() -> None:
    image = from_base64(PACKED, "my cat.v2.png")
    assert {name: image[name] for name in image if name != "text"} == {
        "name": "my cat.v2.png",
        "type": "image/png",
        "kind": "image",
        "format": "png",
        "stem": "my cat-v2",
        "size": 200,
        "base64": PACKED,
        "data_url": f"data:image/png;base64,{PACKED}",
    }
    assert from_base64("aGkK", "a.txt")["text"] == "hi\n"


@pytest.mark.parametrize(
    ("name", "content_type", "packed", "told"),
    [
        ("cat.png", None, PACKED, ("cat.png", "image/png", "image", "png")),
        (None, None, PACKED, ("attachment.png", "image/png", "image", "png")),
        (None, None, f"data:image/png;base64,{PACKED}", ("attachment.png", "image/png", "image", "png")),
        ("x.bin", "audio/mpeg", "AAAA", ("x.bin", "audio/mpeg", "audio", "mp3")),
        ("a.txt", None, "aGkK", ("a.txt", "text/plain", "text", "txt")),
        ("b.JPEG", None, "AAAA", ("b.JPEG", "image/jpeg", "image", "jpeg")),
        ("c", None, "AAAA", ("c", "application/octet-stream", "file", "octet-stream")),
        ("d.pdf", None, "A A\nAA\n", ("d.pdf", "application/pdf", "file", "pdf")),
    ],
)
def test_its_kind_follows_from_type_name_or_bytes(
    name: str | None, content_type: str | None, packed: str, told: tuple[str, ...]
) -> None:
    found = from_base64(packed, name, content_type)
    assert (found.name, found.type, found.kind, found["format"]) == told


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": "!!!"}, "is not base64"),
        ({"text": PACKED[:-2]}, "is not base64"),
        ({"text": "QUJ-"}, "is not base64"),
        ({"text": 5}, "must be a text"),
        ({"text": ""}, "the file is empty"),
        ({"text": "A" * (MAX_BYTES * 3 // 2 + 4)}, "at most 20,000,000 bytes"),
        ({"text": PACKED, "name": "a\x07.png"}, "control character"),
        ({"text": PACKED, "name": "a\u202e.png"}, "invisible"),
        ({"text": PACKED, "name": "../a.png"}, "without a folder"),
        ({"text": PACKED, "name": ".."}, "without a folder"),
        ({"text": PACKED, "name": "x" * 256}, "255"),
        ({"text": PACKED, "name": 7}, "must be a text"),
        ({"text": PACKED, "content_type": "png"}, "is not a content type"),
        ({"text": PACKED, "content_type": "image/png\r\nX: y"}, "is not a content type"),
        ({"text": PACKED, "content_type": "image/jpeg"}, "it is image/png"),
        ({"text": PACKED, "name": "cat.pdf"}, "it is image/png"),
    ],
)
def test_what_is_no_attachment_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(AttachmentError, match=says):
        from_base64(**given)


def test_what_is_not_text_has_none() -> None:
    with pytest.raises(AttachmentError, match="no text in UTF-8"):
        Attachment("a.txt", "text/plain", b"\xff")["text"]


def test_a_file_is_made_and_encoded_once() -> None:
    made = generated("wav", 1_000, "a")
    assert made.data is made.data
    assert made["base64"] is made["base64"]
    assert "1,000 bytes" in repr(made) and len(repr(made)) < 80
