"""Encryption of secrets at rest: AES-256-GCM, key id stored with the ciphertext, row as associated data."""

from __future__ import annotations

import base64
import os
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12


class SecretsError(Exception):
    """Sealed secrets cannot be decrypted; the message says why and what to do."""


def row_label(column: str, uid: UUID) -> bytes:
    """What the ciphertext is bound to: in another row or column it cannot be decrypted."""
    return f"{column}:{uid}".encode()


def seal(values: dict[str, str], label: bytes) -> str:
    """`keyid:base64(nonce + ciphertext)`; an empty mapping seals to the empty string."""
    if not values:
        return ""
    key_id, key = settings.SECRET_KEYRING[0]
    nonce = os.urandom(NONCE_BYTES)
    box = nonce + AESGCM(key).encrypt(nonce, orjson.dumps(values), label)
    return f"{key_id}:{base64.b64encode(box).decode()}"


def unseal(sealed: str, label: bytes) -> dict[str, str]:
    """The values. Raises SecretsError if the key is not in the keyring, or the text was changed or moved."""
    if not sealed:
        return {}
    key_id, _, text = sealed.partition(":")
    key = _key(key_id)
    try:
        box = base64.b64decode(text, validate=True)
        values: dict[str, str] = orjson.loads(AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], label))
    except (InvalidTag, ValueError) as exc:
        raise SecretsError("the sealed secrets were changed or moved to another row: enter them again") from exc
    return values


def reseal(sealed: str, label: bytes) -> str:
    """The same values under the current key; unchanged if they already use it.

    Raises SecretsError as `unseal` does, also for a text that need not be sealed anew.
    """
    values = unseal(sealed, label)
    return sealed if sealed.partition(":")[0] == settings.SECRET_KEYRING[0][0] else seal(values, label)


def _key(key_id: str) -> bytes:
    """From the keyring, which is read again for an unknown id: keys may have been rotated in between."""
    ring: list[tuple[str, bytes]] = settings.SECRET_KEYRING
    if key_id not in dict(ring):
        try:
            fresh = settings.REREAD_KEYRING()
        except ValueError as exc:
            raise SecretsError(f"sealed with key {key_id[:80]!r}, and the keys cannot be read: {exc}") from exc
        if key_id in dict(fresh):
            ring[:] = [*fresh, *(item for item in ring if item not in fresh)]
    key = dict(ring).get(key_id)
    if key is None:
        raise SecretsError(f"sealed with key {key_id[:80]!r}, which is not in TOKENBURN_KEYS: add it back")
    return key
