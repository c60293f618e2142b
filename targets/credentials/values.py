"""Input of a credential's values: set, replace, delete. They are write-only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from sealing.secrets import SecretsError
from targets.credentials.models import Credential

NAME = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)
VALUE_CHARS = 10_000


def stored_names(credential: Credential | None) -> list[str]:
    """Names of the stored values, sorted. Raises SecretsError if they cannot be decrypted."""
    return [] if credential is None else sorted(credential.get_secrets())


def change_values(
    credential: Credential, *, given: Mapping[str, str], cleared: Collection[str] = (), clear_all: bool = False
) -> None:
    """Merge `given` into the stored values, without the cleared ones; call `credential.save()` afterwards. Raises
    ValueError naming what is wrong. Values that cannot be decrypted are not silently replaced: they must be cleared as
    a whole first, because the missing key may come back."""
    for name, value in given.items():
        check_value(name, value)
    try:
        stored = {} if clear_all else credential.get_secrets()
    except SecretsError as exc:
        raise ValueError(
            f"the secrets of credential {credential.name!r} cannot be decrypted ({exc}); or clear them all first"
        ) from exc
    kept = {name: value for name, value in stored.items() if name not in cleared}
    credential.set_secrets(kept | dict(given))


def check_value(name: str, value: str) -> None:
    """Raises ValueError, without the value in it, if a template could not use this secret."""
    if not NAME.fullmatch(name):
        raise ValueError(f"the secret's name {name[:80]!r} must be letters, digits and _, such as api_key")
    if not value or len(value) > VALUE_CHARS:
        raise ValueError(f"the secret {name!r} must have 1 to {VALUE_CHARS} characters")
