"""What the environment may set, typed: variables named TOKENBURN_*, and DATABASE_URL and REDIS_URL."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any, Literal, Self

import dj_database_url
from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from tokenburn_site.logs import LogFormat

KEY_BYTES = 32


class Env(BaseSettings):
    """Field `x` is TOKENBURN_X, but for the two addresses that every host of ours calls by their usual names."""

    model_config = SettingsConfigDict(env_prefix="TOKENBURN_", extra="ignore")

    debug: bool = False
    secret_key: SecretStr | None = None
    keys: SecretStr | None = None
    """Keyring for secrets at rest: `id:base64(32 bytes)`, comma-separated, the first one seals."""
    allowed_hosts: list[str] = ["127.0.0.1", "localhost", "[::1]"]
    csrf_trusted_origins: list[str] = []
    var_dir: Path | None = None
    time_zone: str = "UTC"
    https: bool = False
    """The site is reached by HTTPS, through a proxy that sets X-Forwarded-Proto: cookies then travel by it only."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "text"
    database_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_URL"))
    redis_url: str = Field("redis://127.0.0.1:6399/0", validation_alias=AliasChoices("REDIS_URL"))

    @classmethod
    def read(cls) -> Self:
        """From the environment, and below it from `.env` or the file named by TOKENBURN_ENV_FILE (empty: none)."""
        return cls(_env_file=os.environ.get("TOKENBURN_ENV_FILE", ".env") or None)


def database_config(url: str) -> dict[str, Any]:
    """One entry of DATABASES. Raises ValueError for an address of no known kind."""
    config: dict[str, Any] = {"OPTIONS": {}, **dj_database_url.parse(url)}
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",  # waits for its turn, where a later upgrade of the lock would fail
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    return config


def development_key(path: Path) -> str:
    """A random key made once, readable by its owner only."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(key)
    return key


def keyring(keys: SecretStr | None, fallback: Path) -> list[tuple[str, bytes]]:
    """(id, key) pairs, the sealing key first. Raises ValueError if one is not 32 bytes of base64."""
    if keys is None:
        key = base64.b64decode(development_key(fallback))
        return [(f"dev-{hashlib.sha256(key).hexdigest()[:8]}", key)]
    ring = []
    for item in keys.get_secret_value().split(","):
        key_id, _, text = item.strip().partition(":")
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError as exc:
            raise ValueError(f"TOKENBURN_KEYS: key {key_id!r} is not base64") from exc
        if not key_id or len(key) != KEY_BYTES:
            raise ValueError(
                "TOKENBURN_KEYS: each key is id:base64 of 32 bytes, for example from `openssl rand -base64 32`"
            )
        ring.append((key_id, key))
    return ring
