"""What an event says of users, clients and rows: short, visible text, and never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

from django.apps import apps
from django.db.models import Model

from plain_text.visible import visible

NAME_CHARS = 200
KEY_CHARS = 64
DETAIL_CHARS = 400
ITEMS = 50
DEPTH = 4
IPV6, IPV6_SITE = 6, 64


def short(value: Any, chars: int = NAME_CHARS) -> str:
    """`value` as text that any database stores and any terminal shows."""
    text = visible(str(value)[:chars])
    return text if len(text) <= chars else f"{text[: chars - 1]}…"


def bounded(value: Any, depth: int = 0) -> Any:
    """A JSON value of limited size."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else short(value)
    if depth < DEPTH and isinstance(value, Mapping):
        return {short(key, KEY_CHARS): bounded(item, depth + 1) for key, item in list(value.items())[:ITEMS]}
    if depth < DEPTH and isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        kept = [bounded(item, depth + 1) for item in items[:ITEMS]]
        return kept if len(items) <= ITEMS else [*kept, f"and {len(items) - ITEMS} more"]
    return short(value, DETAIL_CHARS)


def person(user: Any) -> dict[str, Any]:
    if user is None or not getattr(user, "is_authenticated", False):
        return {}
    return {"user_key": user.pk, "user_name": short(user.get_username())}


def thing(on: Model | tuple[str, Any, str] | None) -> dict[str, Any]:
    if on is None:
        return {}
    if isinstance(on, tuple):
        kind, key, text = on
        return {"kind": short(kind, 80), "key": short(key, KEY_CHARS), "text": short(text)}
    return {
        "kind": on._meta.model_name or "",
        "key": short("" if on.pk is None else on.pk, KEY_CHARS),
        "text": short(on),
    }


def client(request: Any) -> dict[str, Any]:
    if request is None:
        return {}
    found = {"token": token_name(getattr(request, "auth", None))}
    meta = getattr(request, "META", {})
    found["user_agent"] = short(meta.get("HTTP_USER_AGENT", ""))
    found["address"] = short(client_address(request) or "", 45)
    return found


def client_address(request: Any) -> str | None:
    """By the rule that also counts failed log-ins."""
    if not apps.is_installed("axes"):  # `burn` has no clients
        return None
    from axes.helpers import get_client_ip_address

    found: str | None = get_client_ip_address(getattr(request, "_request", request))
    return found


def token_name(token: Any) -> str:
    """The id of the API token that a request was made with; empty: it was none."""
    return short(token.pk, KEY_CHARS) if isinstance(token, Model) else ""


def source(request: Any) -> str:
    """Who is counted as one: a user, or the network of a stranger."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"user {user.pk}"
    address = (client_address(request) if request is not None else None) or "unknown"
    with suppress(ValueError):
        if (parsed := ip_address(address)).version == IPV6:
            return str(ip_network((parsed, IPV6_SITE), strict=False))
    return address[:KEY_CHARS]
