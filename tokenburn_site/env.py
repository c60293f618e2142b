"""What the environment may set, typed: variables named TOKENBURN_*, and DATABASE_URL and REDIS_URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self

import dj_database_url
from pydantic import AliasChoices, Field, IPvAnyAddress, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runs.regions import PATTERN
from tokenburn_site.keys import BadEnvironment
from tokenburn_site.logs import LogFormat

PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,  # ms
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""How long a PostgreSQL that went silent without a word is waited for. By default it is a quarter of an hour, in which
a supervisor would neither renew its lease nor store anything after the network is back."""


class Env(BaseSettings):
    """Field `x` is TOKENBURN_X, but for the two addresses that every host of ours calls by their usual names."""

    model_config = SettingsConfigDict(env_prefix="TOKENBURN_", extra="ignore")

    debug: bool = False
    secret_key: SecretStr | None = None
    keys: SecretStr | None = None
    """Keyring for secrets at rest: `id:base64(32 bytes)`, comma-separated, the first one seals."""
    allow_private: bool | list[IPvAnyNetwork] | None = None
    """Private addresses that may be dialled: true, false, or networks such as ["10.20.0.0/16"]. Unset: all of them
    in development, which is a site that has made up its own secret key, and none elsewhere."""
    connectors: dict[str, str] = {}
    """Connectors of one's own: {"protocol": "package.module:Class"}."""
    allowed_hosts: list[str] = ["127.0.0.1", "localhost", "[::1]"]
    csrf_trusted_origins: list[str] = []
    var_dir: Path | None = None
    region: str = Field("", pattern=PATTERN)
    """Where this host's engines run, as plans name it. Empty: nowhere in particular."""
    source_addresses: list[IPvAnyAddress] = []
    """Addresses of this host that its engines' connections leave from, in turn. Empty: the system picks one."""
    record_chars: int = Field(4000, ge=0, le=1_000_000)
    """Characters of each message and answer that are kept. 0: none, and repetition is not measured."""
    history_days: int = Field(90, ge=0, le=36_500)
    """How long rows of schedules' slots and of webhooks' deliveries are kept. 0: for ever."""
    time_zone: str = "UTC"
    site_url: str = Field("", pattern=r"^(https?://\S+)?$")
    """By which people reach the site: for links in webhooks' messages."""
    https: bool = False
    """The site is reached by HTTPS, through a proxy that sets X-Forwarded-Proto: cookies then travel by it only."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "text"
    database_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_URL"))
    redis_url: str = Field("redis://127.0.0.1:6399/0", validation_alias=AliasChoices("REDIS_URL"))

    @classmethod
    def read(cls) -> Self:
        """From the environment, and below it from `.env` or the file named by TOKENBURN_ENV_FILE (empty: none).

        Raises BadEnvironment.
        """
        try:
            return cls(_env_file=os.environ.get("TOKENBURN_ENV_FILE", ".env") or None)
        except ValidationError as exc:
            wrong = [f"{_variable(str(error['loc'][0]))}: {error['msg']}" for error in exc.errors()]
            raise BadEnvironment("; ".join(wrong)) from None  # the cause shows the values

    def prepare_dir(self, default: Path) -> Path:
        """The directory for all that is written, made if need be. Raises BadEnvironment."""
        path = (self.var_dir or default).resolve()
        try:
            (path / "static").mkdir(parents=True, exist_ok=True)  # whitenoise warns if this one is missing
        except OSError as exc:
            raise BadEnvironment(f"{path}: {exc.strerror}: set TOKENBURN_VAR_DIR to a directory of your own") from exc
        return path


def private_addresses(env: Env) -> bool | tuple[str, ...]:
    """Which private addresses may be dialled, as `connectors.guard` takes it."""
    if env.allow_private is None:
        return env.secret_key is None
    return env.allow_private if isinstance(env.allow_private, bool) else tuple(map(str, env.allow_private))


def _variable(field: str) -> str:
    return f"TOKENBURN_{field}".upper() if field in Env.model_fields else field


def database_config(url: str) -> dict[str, Any]:
    """One entry of DATABASES. Raises BadEnvironment for an address of no known kind."""
    try:
        config: dict[str, Any] = {"OPTIONS": {}, **dj_database_url.parse(url)}
    except ValueError as exc:
        kind = url.partition(":")[0]
        raise BadEnvironment(f"DATABASE_URL: {kind!r} is no database here: use postgres:// or sqlite:///") from exc
    if config["ENGINE"] == "django.db.backends.postgresql":
        config["OPTIONS"] = {**PATIENCE, **config["OPTIONS"]}
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",  # waits for its turn, where a later upgrade of the lock would fail
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    return config
