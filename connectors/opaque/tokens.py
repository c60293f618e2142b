"""Placeholders of secrets: what templates and everything up to the transport see in place of them. Pure.

A token is one word of letters and digits, so that JSON, URLs and headers carry it as it is. It holds what it stands
for: the name of a secret, or a text with tokens and how that is to be encoded. So it needs no register.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

MARK: Final = f"tb{secrets.token_hex(8)}"
"""How each token begins; new in each process, so that nobody can write one."""
MARK_BYTES: Final = MARK.encode()
SECRET, BASE64, URL, JSON, HTML_JSON, HEADER, PATH, JWT = "sbujthqw"
"""Kinds: the secret itself, encoded by a template or for where it stands, or what it signs."""
TOKEN: Final = re.compile(rf"{MARK}([a-z])((?:[0-9a-f]{{2}})*)z")
TOKEN_BYTES: Final = re.compile(TOKEN.pattern.encode())
SHOWN_TOKEN: Final = rf"{MARK}[a-z]?[0-9a-f]*z?"
"""The same for redaction, which also finds one that was cut."""


class Bound(bytes):
    """A body in which a secret is no longer seen, because a codec has packed it or used one as its key. It was made for
    one origin and is sent to no other."""

    __slots__ = ()


def token(kind: str, text: str) -> str:
    return f"{MARK}{kind}{text.encode(errors='surrogatepass').hex()}z"


def text_of(inner: str) -> str:
    """What a token holds."""
    return bytes.fromhex(inner).decode(errors="surrogatepass")


def wrapped(kind: str, text: str) -> str:
    """`text` with its tokens to be encoded as `kind`."""
    return TOKEN.sub(lambda match: token(kind, match[0]), text)


def in_json(data: bytes) -> bytes:
    """JSON with its tokens, which stand in texts, to be escaped; some may be marked so already."""
    return TOKEN_BYTES.sub(
        lambda match: match[0] if match[1].decode() == JSON else token(JSON, match[0].decode()).encode(), data
    )


def names_in(text: str) -> list[str]:
    """Names of the secrets that the tokens of `text` stand for."""
    found: dict[str, None] = {}
    for match in TOKEN.finditer(text):
        inner = text_of(match[2])
        found.update(dict.fromkeys([inner] if match[1] == SECRET else names_in(inner)))
    return list(found)
