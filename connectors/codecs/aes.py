"""AES as chatbots' JavaScript clients use it: CryptoJS with a passphrase, CBC with a key, GCM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import md5
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from pydantic import Field, SecretStr

from connectors.codecs.base import OptionsT, WithOptions
from connectors.codecs.binary import TextForm, WireForm, from_text, from_wire, to_wire
from connectors.spec import Frozen, SpecError

BLOCK: Final = 16
NONCE: Final = 12
TAG: Final = 16
MAGIC: Final = b"Salted__"
SALT: Final = 8
KEY_SIZES: Final = (16, 24, 32)
PREFIXED: Final = "prefixed"
"""In place of an IV: a new one for each message, put before its ciphertext."""
WRONG: Final = "it cannot be decrypted: wrong key, or changed in transit"
CHECK: Final = "compare key and mode with what the target's own client uses"


def encrypt_cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-CBC with PKCS#7 padding."""
    fill = BLOCK - len(data) % BLOCK
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(data + bytes([fill]) * fill) + encryptor.finalize()


def decrypt_cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Raises ValueError if the length or the padding is wrong."""
    if not data or len(data) % BLOCK:
        raise ValueError(f"{len(data)} bytes of ciphertext are not whole blocks")
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    plain = decryptor.update(data) + decryptor.finalize()
    fill = plain[-1]
    if not 1 <= fill <= BLOCK or plain[-fill:] != bytes([fill]) * fill:
        raise ValueError(WRONG)
    return plain[:-fill]


def derive(passphrase: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Key and IV as OpenSSL's EVP_BytesToKey makes them with MD5 and one round, which is CryptoJS's default."""
    block = found = b""
    while len(found) < 32 + BLOCK:
        block = md5(block + passphrase + salt, usedforsecurity=False).digest()  # the format's own choice, not ours
        found += block
    return found[:32], found[32 : 32 + BLOCK]


class PassphraseOptions(Frozen):
    passphrase: SecretStr = Field(min_length=1)


class CryptoJsAes(WithOptions[PassphraseOptions]):
    """`CryptoJS.AES.encrypt(text, passphrase).toString()`: base64 of "Salted__", salt and AES-256-CBC."""

    name = "cryptojs-aes"
    shape = PassphraseOptions

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._passphrase = self.options.passphrase.get_secret_value().encode()

    def encode(self, data: bytes) -> bytes:
        salt = os.urandom(SALT)
        return to_wire(MAGIC + salt + encrypt_cbc(*derive(self._passphrase, salt), data), "base64")

    def decode(self, data: bytes) -> bytes:
        try:
            box = from_wire(data, "base64")
        except ValueError:
            raise self.failed("the text is not base64") from None
        if not box.startswith(MAGIC):
            raise self.failed('the text does not begin with "Salted__"', "it may need aes-cbc, with key and IV")
        salt, cipher = box[len(MAGIC) : len(MAGIC) + SALT], box[len(MAGIC) + SALT :]
        try:
            return decrypt_cbc(*derive(self._passphrase, salt), cipher)
        except ValueError as exc:
            raise self.failed(str(exc), CHECK) from None


class KeyOptions(Frozen):
    """`form`: how the key is written. `wire`: how the ciphertext travels."""

    key: SecretStr
    form: TextForm = "hex"
    wire: WireForm = "base64"


class CbcOptions(KeyOptions):
    """`iv`: the same for all messages, written as the key is; or "prefixed"."""

    iv: SecretStr


class Keyed(WithOptions[OptionsT]):
    """What both modes with a key of their own share."""

    def _bytes_of(self, name: str, value: SecretStr, form: TextForm, sizes: tuple[int, ...]) -> bytes:
        try:
            found = from_text(value.get_secret_value(), form)
        except ValueError as exc:
            raise SpecError(f"codec {self.name!r}: {name}: {exc}: set `form` to hex, base64 or utf8") from None
        if len(found) not in sizes:
            wanted = " or ".join(map(str, sizes))
            # Its own length is not told: it may be a secret's.
            raise SpecError(f"codec {self.name!r}: {name}: must have {wanted} bytes as {form}")
        return found

    def _unwire(self, data: bytes, form: WireForm) -> bytes:
        try:
            return from_wire(data, form)
        except ValueError:
            raise self.failed(f"the text is not {form}") from None


class AesCbc(Keyed[CbcOptions]):
    """AES-CBC with PKCS#7 padding, key and IV given."""

    name = "aes-cbc"
    shape = CbcOptions

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        given = self.options
        self._key = self._bytes_of("key", given.key, given.form, KEY_SIZES)
        prefixed = given.iv.get_secret_value() == PREFIXED
        self._iv = None if prefixed else self._bytes_of("iv", given.iv, given.form, (BLOCK,))

    def encode(self, data: bytes) -> bytes:
        if self._iv is not None:
            return to_wire(encrypt_cbc(self._key, self._iv, data), self.options.wire)
        iv = os.urandom(BLOCK)
        return to_wire(iv + encrypt_cbc(self._key, iv, data), self.options.wire)

    def decode(self, data: bytes) -> bytes:
        box = self._unwire(data, self.options.wire)
        iv = self._iv
        if iv is None:
            iv, box = box[:BLOCK], box[BLOCK:]
        try:
            return decrypt_cbc(self._key, iv, box)
        except ValueError as exc:
            raise self.failed(str(exc), CHECK) from None


class AesGcm(Keyed[KeyOptions]):
    """AES-GCM: a nonce of 12 bytes, the ciphertext, a tag of 16."""

    name = "aes-gcm"
    shape = KeyOptions

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._box = AESGCM(self._bytes_of("key", self.options.key, self.options.form, KEY_SIZES))

    def encode(self, data: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return to_wire(nonce + self._box.encrypt(nonce, data, None), self.options.wire)

    def decode(self, data: bytes) -> bytes:
        box = self._unwire(data, self.options.wire)
        if len(box) < NONCE + TAG:
            raise self.failed(f"{len(box)} bytes are too few for nonce and tag")
        try:
            return self._box.decrypt(box[:NONCE], box[NONCE:], None)
        except InvalidTag:
            raise self.failed(WRONG, CHECK) from None
