"""Converts between bytes and text: formats of keys and of transmitted ciphertext."""

from __future__ import annotations

import binascii
from typing import Literal

TextForm = Literal["hex", "base64", "utf8"]
WireForm = Literal["base64", "hex", "raw"]


def from_text(text: str, form: TextForm) -> bytes:
    """Raises ValueError, without the text in it."""
    if form == "utf8":
        return text.encode()
    try:
        return bytes.fromhex(text) if form == "hex" else from_base64(text.encode())
    except ValueError:
        raise ValueError(f"not {form}") from None  # the cause shows the text


def from_base64(data: bytes) -> bytes:
    """White space is allowed anywhere, as OpenSSL breaks lines; a missing padding is not. Raises ValueError."""
    return binascii.a2b_base64(b"".join(data.split()), strict_mode=True)


def to_wire(data: bytes, form: WireForm) -> bytes:
    if form == "raw":
        return data
    return binascii.b2a_base64(data, newline=False) if form == "base64" else data.hex().encode()


def from_wire(data: bytes, form: WireForm) -> bytes:
    """Raises ValueError."""
    if form == "raw":
        return data
    return from_base64(data) if form == "base64" else binascii.unhexlify(b"".join(data.split()))
