"""System checks of the site's keys, for `manage.py check` and commands that run checks."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

LEAST_KEY_CHARS = 32
LEAST_DIFFERENT = 8
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


def unsafe_settings(bind: str = "") -> list[Error]:
    """Settings with which no service may start. `bind`: the address that the web server will listen on, if known."""
    found = []
    key = settings.SECRET_KEY
    if settings.SECRET_KEY_GIVEN and (len(key) < LEAST_KEY_CHARS or len(set(key)) < LEAST_DIFFERENT):
        found.append(
            Error(
                f"TOKENBURN_SECRET_KEY can be guessed: it has {len(key)} characters, {len(set(key))} different ones.",
                hint=f"Set at least {LEAST_KEY_CHARS} random characters, for example from `openssl rand -base64 48`.",
                id="tokenburn.E001",
            )
        )
    hosts = set(settings.ALLOWED_HOSTS) - {"testserver"}  # which Django adds in tests
    if settings.DEBUG and (hosts - LOOPBACK or (bind and bind not in LOOPBACK)):
        found.append(
            Error(
                "TOKENBURN_DEBUG shows code and settings to everybody, and the site can be reached from outside.",
                hint="Unset TOKENBURN_DEBUG, or listen on 127.0.0.1 with loopback names in TOKENBURN_ALLOWED_HOSTS.",
                id="tokenburn.E002",
            )
        )
    if not settings.LOCAL_PASSWORDS and not settings.OIDC.issuer:
        found.append(
            Error(
                "Nobody could log in: passwords are switched off, and there is no single sign-on.",
                hint="Set TOKENBURN_OIDC_ISSUER and TOKENBURN_OIDC_CLIENT_ID, or unset TOKENBURN_LOCAL_PASSWORDS.",
                id="tokenburn.E004",
            )
        )
    if any(host.strip(".") in {"*", ""} for host in hosts):
        found.append(
            Error(
                "TOKENBURN_ALLOWED_HOSTS allows every host name, so others can forge links and cached pages.",
                hint='List the names of the site: ["burn.example"].',
                id="tokenburn.E003",
            )
        )
    return found


def refusal(bind: str = "") -> str:
    """The same as one line for a service that does not start; empty: it may."""
    return "; ".join(f"{error.msg.rstrip('.')}: {error.hint}" for error in unsafe_settings(bind))


def check_unsafe(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Errors for settings with which no service starts."""
    return [*unsafe_settings()]


def check_files(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Warns of files that other accounts can read."""
    found = (line.partition(": ") for line in settings.WIDE_FILES)
    return [Warning(what, hint=hint, id="tokenburn.W003") for what, _, hint in found]


def check_keys(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Warns of development keys, and of keys that others can read."""
    if settings.KEYRING_GIVEN:
        return []
    path = settings.KEYRING_FILE
    found: list[CheckMessage] = [
        Warning(
            f"Secrets are sealed with a development key, made in {path}.",
            hint="On a real site set TOKENBURN_KEYS and TOKENBURN_SECRET_KEY: see docs/secrets.md.",
            id="tokenburn.W001",
        )
    ]
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        found.append(Warning(f"{path} can be read by others.", hint=f"chmod 600 {path}", id="tokenburn.W002"))
    return found
