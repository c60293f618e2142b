"""A webhook's address and key, encrypted and write-only."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from connectors.security.guard import NEVER, never_allowed
from connectors.spec import SpecError, TargetSpec, build_target_spec
from runs.models import Webhook
from sealing.secrets import SecretsError

URL_CHARS: Final = 2000
KEY_CHARS: Final = 1000
RECEIVER_ADVICE: Final = f"{NEVER}; give the webhook the address of its receiver"
OVERRIDES: Final = {
    "timeouts": {"connect": 5, "first_byte": 10, "idle": 5, "total": 10},
    "limits": {"header_bytes": 32 * 1024, "body_bytes": 64 * 1024},
}


def give_secrets(webhook: Webhook, *, url: str = "", key: str | None = None) -> None:
    """Replace the stored values by the given ones: an empty `url` and a `key` of None keep them, an empty key removes
    it. Call `save()` afterwards. Raises ValueError, whose text has no more of them than the address's host."""
    if not url and key is None and webhook.sealed_secrets:
        return
    try:
        stored = webhook.get_secrets()
    except SecretsError as exc:
        if not url:
            raise ValueError(f"the stored address cannot be decrypted: enter it again ({exc})") from exc
        stored = {}
    if url:
        webhook.host = shown_address(url)
        if refused := never_allowed(url, RECEIVER_ADVICE):
            raise ValueError(refused)
        stored["url"] = url
    if "url" not in stored:
        raise ValueError("give an address")
    if key is not None:
        if len(key) > KEY_CHARS:
            raise ValueError(f"a key has at most {KEY_CHARS} characters")
        stored["key"] = key
    webhook.set_secrets({name: value for name, value in stored.items() if value})


def has_key(webhook: Webhook) -> bool | None:
    """Whether messages are signed; None if unknown."""
    try:
        return "key" in webhook.get_secrets()
    except SecretsError:
        return None


def shown_address(url: str) -> str:
    """The address's host and port, which may be shown. Raises ValueError, whose text does not contain the address."""
    try:
        return urlsplit(address_spec(url).url).netloc
    except (SpecError, ValueError):
        raise ValueError(
            "give an address such as https://host/path, without a user or password in it, "
            f"of at most {URL_CHARS} ASCII characters"
        ) from None  # the cause contains it


def address_spec(url: str) -> TargetSpec:
    """The endpoint to connect to. Raises SpecError, ValueError."""
    if urlsplit(url).scheme not in {"http", "https"} or len(url) > URL_CHARS or not url.isascii():
        raise ValueError("no address")
    return build_target_spec(name="webhook", url=url, preset="generic-json", overrides=OVERRIDES)
