"""The site's keys: where they come from, and generated development keys. Independent of Django, because settings need
it."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from pathlib import Path

from pydantic import SecretStr

KEY_BYTES = 32
FORM = "each key is id:base64 of 32 bytes, for example from `openssl rand -base64 32`"
WRITTEN_WITHIN_S = 2.0
"""Time in which another process that creates the same file has written it."""

Keyring = list[tuple[str, bytes]]
"""(id, key) pairs. The first key encrypts, all of them decrypt."""


class BadEnvironment(ValueError):
    """The site cannot start with this environment; the message is one line with a remedy and contains no key."""


def keyring(keys: SecretStr | None, fallback: Path) -> Keyring:
    """From TOKENBURN_KEYS or, without it, from the development keys in `fallback`. Raises BadEnvironment."""
    if keys is None:
        lines = development_key(fallback).split()
        return [(key_id(key), key) for key in (_decoded(line, str(fallback)) for line in lines)]
    ring: Keyring = []
    for item in keys.get_secret_value().split(","):
        name, given, text = item.strip().partition(":")
        if not name or not given:
            raise BadEnvironment(f"TOKENBURN_KEYS: a key has no id: {FORM}")
        if name in dict(ring):
            raise BadEnvironment(f"TOKENBURN_KEYS: two keys have the id {name!r}")
        ring.append((name, _decoded(text, f"TOKENBURN_KEYS: key {name!r}")))
    return ring


def development_key(path: Path) -> str:
    """The content of `path`: a random key, generated once and readable by its owner only. Raises BadEnvironment.
    `tokenburn_site.config.checks` warns of it."""
    try:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(encoded(new_key()))
    except OSError as exc:
        raise BadEnvironment(f"{path}: {exc.strerror}: set TOKENBURN_VAR_DIR to a directory of your own") from exc
    return _read(path)


def add_development_key(path: Path) -> str:
    """Put a new key before those of `path`; returns its id. Raises BadEnvironment."""
    key, old = new_key(), development_key(path)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{encoded(key)}\n{old}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as exc:
        beside.unlink(missing_ok=True)
        raise BadEnvironment(f"{path}: {exc.strerror}") from exc
    return key_id(key)


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


def key_id(key: bytes, kind: str = "dev") -> str:
    """A name that distinguishes keys without revealing them."""
    return f"{kind}-{hashlib.sha256(key).hexdigest()[:8]}"


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise BadEnvironment(f"{where}: is not base64: {FORM}") from None  # the cause may show a piece of it
    if len(key) != KEY_BYTES:
        raise BadEnvironment(f"{where}: has {len(key)} bytes: {FORM}")
    return key


def _read(path: Path) -> str:
    """Raises BadEnvironment, OSError."""
    until = time.monotonic() + WRITTEN_WITHIN_S
    while not (text := path.read_bytes().decode("ascii", "replace").strip()):
        if time.monotonic() > until:
            raise BadEnvironment(f"{path} is empty: restore it, or delete it and enter all secrets again")
        time.sleep(0.02)
    return text
