"""System checks of the site's keys, for `manage.py check` and commands that run checks."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning


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
