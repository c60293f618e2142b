"""`CryptoJS.AES.encrypt(text, passphrase).toString()` and back: OpenSSL's salted format in base64.

AES-256-CBC with PKCS #7; key and IV come from EVP_BytesToKey with MD5, one round, as `openssl enc -md md5` does.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from hashlib import md5

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

_MAGIC = b"Salted__"
_BLOCK = 16


def encrypt(data: bytes, passphrase: str) -> bytes:
    salt = os.urandom(8)
    padder = PKCS7(_BLOCK * 8).padder()
    encryptor = _cipher(passphrase, salt).encryptor()
    sealed = encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()
    return b64encode(_MAGIC + salt + sealed)


def decrypt(text: str | bytes, passphrase: str) -> bytes:
    """Raises ValueError: wrong format or wrong passphrase (which only the padding reveals)."""
    raw = b64decode(text, validate=True)
    salt, sealed = raw[8:16], raw[16:]
    if not raw.startswith(_MAGIC) or not sealed or len(sealed) % _BLOCK:
        raise ValueError("not a salted message of whole blocks")
    decryptor = _cipher(passphrase, salt).decryptor()
    unpadder = PKCS7(_BLOCK * 8).unpadder()
    return unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()


def _cipher(passphrase: str, salt: bytes) -> Cipher[CBC]:
    derived = block = b""
    while len(derived) < 48:
        block = md5(block + passphrase.encode() + salt).digest()  # noqa: S324 - what the format prescribes
        derived += block
    return Cipher(AES(derived[:32]), CBC(derived[32:48]))
