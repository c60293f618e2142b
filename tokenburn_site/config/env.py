"""Typed settings from the environment: TOKENBURN_*, DATABASE_URL and REDIS_URL."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, Self

import dj_database_url
from pydantic import AliasChoices, Field, IPvAnyAddress, IPvAnyNetwork, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from runs.workers.regions import PATTERN
from tokenburn_site.config.keys import BadEnvironment
from tokenburn_site.config.logs import LogFormat

PATIENCE = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,  # ms
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""How long to wait for a PostgreSQL server that stopped responding. The default is a quarter of an hour, in which a
supervisor would neither renew its lease nor store anything after the network is back."""

FIELD = re.compile('field "([^"]+)"')
"""What pydantic-settings says of a value that it cannot read."""
JSON_FORM = """write a list as ["a", "b"] and a mapping as {"a": "b"}"""


FORMS = {"allow_private": 'true, false or a list of networks, such as ["10.20.0.0/16"]'}
"""What fields take whose kinds would each complain for themselves."""


class FromEnvironment(BaseSettings):
    @classmethod
    def read(cls) -> Self:
        """From the environment, then from `.env` or the file named by TOKENBURN_ENV_FILE (empty: none). Raises
        BadEnvironment."""
        try:
            return cls(_env_file=os.environ.get("TOKENBURN_ENV_FILE", ".env") or None)
        except ValidationError as exc:
            wrong = dict.fromkeys(
                cls._problem("".join(map(str, error["loc"][:1])), error["msg"]) for error in exc.errors()
            )
            raise BadEnvironment("; ".join(wrong)) from None  # the cause contains the values
        except SettingsError as exc:
            name = cls._variable(*FIELD.findall(str(exc))[:1])
            raise BadEnvironment(f"{name}: this is not JSON: {JSON_FORM}") from None

    @classmethod
    def _problem(cls, field: str, told: str) -> str:
        return f"{cls._variable(field)}: {f'give {FORMS[field]}' if field in FORMS else told}"

    @classmethod
    def _variable(cls, field: str = "") -> str:
        """Without a field: what all of them begin with. A field with a name of its own is reported by that."""
        prefix = cls.model_config.get("env_prefix", "")
        return f"{prefix}{field}".upper().rstrip("_") if not field or field in cls.model_fields else field


class Env(FromEnvironment):
    """Field `x` is TOKENBURN_X, except for two addresses that have common names."""

    model_config = SettingsConfigDict(env_prefix="TOKENBURN_", extra="ignore")

    debug: bool = False
    secret_key: SecretStr | None = None
    keys: SecretStr | None = None
    """Keyring for secrets at rest: `id:base64(32 bytes)`, comma-separated; the first key encrypts."""
    allow_private: bool | list[IPvAnyNetwork] | None = None
    """Private addresses that may be connected to: true, false, or networks such as ["10.20.0.0/16"]. Unset: all in
    development (a site with a generated secret key), otherwise none."""
    connectors: dict[str, str] = {}
    """Custom connectors: {"protocol": "package.module:Class"}."""
    allowed_hosts: list[str] = ["127.0.0.1", "localhost", "[::1]"]
    csrf_trusted_origins: list[str] = []
    var_dir: Path | None = None
    region: str = Field("", pattern=PATTERN)
    """Region of this host's engines, as plans name it. Empty: no region."""
    source_addresses: list[IPvAnyAddress] = []
    """Local addresses that engines connect from, in turn. Empty: chosen by the system."""
    record_chars: int = Field(4000, ge=0, le=1_000_000)
    """Number of characters of each message and answer that are kept. 0: none, and repetition is not measured."""
    require_ownership: bool = False
    """Hosts have to prove that they may be tested, see docs/policy.md."""
    approval_hours: float = Field(72.0, gt=0, le=8760)
    """How long a run waits for approval."""
    history_days: int = Field(90, ge=0, le=36_500)
    """How long rows of schedules' slots and webhooks' deliveries are kept. 0: forever."""
    audit_syslog: str = Field("", pattern=r"^((udp|tcp|tls)://\S+|unix:///\S+)?$")
    """Where the audit log is sent: tls://HOST:6514, tcp://HOST:601, udp://HOST:514 or unix:///dev/log."""
    token_days: int = Field(90, ge=1, le=36_500)
    """How long an API token is valid unless its maker says otherwise."""
    token_max_days: int = Field(365, ge=1, le=36_500)
    require_mfa: Literal["", "staff", "all"] = ""
    """Who must have a second factor, besides the members of groups that say so."""
    session_idle_hours: float = Field(12, gt=0, le=8760)
    """A log-in ends after this time without activity."""
    session_max_hours: float = Field(168, gt=0, le=8760)
    """A log-in ends after this time."""
    local_passwords: bool = True
    """Whether people can log in with a password, beside single sign-on."""
    time_zone: str = "UTC"
    site_url: str = Field("", pattern=r"^(https?://\S+)?$")
    """The public address of the site, for links in webhook messages."""
    security_contact: str = Field("", pattern=r"^((https://|mailto:|tel:)[\x21-\x7e]+)?$")
    """Whom to tell about a weakness of this site, as an address, for `/.well-known/security.txt`. Empty: no file."""
    https: bool = False
    """The site is reached by HTTPS through a proxy that sets X-Forwarded-Proto: cookies are then sent only over
    HTTPS."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "text"
    database_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_URL"))
    redis_url: str = Field("redis://127.0.0.1:6399/0", validation_alias=AliasChoices("REDIS_URL"))

    def prepare_dir(self, default: Path) -> Path:
        """The directory for all written files, created if necessary. Raises BadEnvironment."""
        path = (self.var_dir or default).resolve()
        try:
            (path / "static").mkdir(parents=True, exist_ok=True)  # whitenoise warns if this one is missing
        except OSError as exc:
            raise BadEnvironment(f"{path}: {exc.strerror}: set TOKENBURN_VAR_DIR to a directory of your own") from exc
        return path


def private_addresses(env: Env) -> bool | tuple[str, ...]:
    """Which private addresses may be connected to, as `connectors.security.guard` expects it."""
    if env.allow_private is None:
        return env.secret_key is None
    return env.allow_private if isinstance(env.allow_private, bool) else tuple(map(str, env.allow_private))


def database_config(url: str) -> dict[str, Any]:
    """One entry of DATABASES. Raises BadEnvironment for an unknown kind of address."""
    try:
        config: dict[str, Any] = {"OPTIONS": {}, **dj_database_url.parse(url)}
    except ValueError as exc:
        kind = url.partition(":")[0]
        raise BadEnvironment(
            f"DATABASE_URL: {kind!r}: only PostgreSQL and SQLite are supported: use postgres:// or sqlite:///"
        ) from exc
    if config["ENGINE"] == "django.db.backends.postgresql":
        config["OPTIONS"] = {**PATIENCE, **config["OPTIONS"]}
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",  # waits for its turn, where a later upgrade of the lock would fail
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    return config
