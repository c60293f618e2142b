"""Proof that the owner of a host lets this installation test it: a file with its token, as with certificates.

A host needs none if it is a private address, or if a policy that holds for whoever asks lists it by name. Names need
one even if they lead to a private address: they may lead elsewhere a second later.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from audit.services import record
from connectors.errors import TurnError
from connectors.in_time import OutOfTimeError, in_time
from connectors.origins import origin_of
from connectors.security.guard import Address, is_private, resolve
from policy.hosts import Pattern, allowed
from policy.models import OwnedHost, ProofToken

PATH: Final = "/.well-known/token-burn.txt"
WITHIN_S: Final = 10.0
STEP_S: Final = 5.0
BYTES: Final = 4096
VALID_DAYS: Final = 90
WELL_KNOWN: Final = frozenset({80, 443})
"""Ports that only the administrator of a machine can serve: a proof there holds for all ports."""


class ProofError(ValueError):
    """No proof; the message says what was found, and what to do."""


def token() -> str:
    """What owners publish."""
    return ProofToken.objects.get_or_create(pk=ProofToken.ONLY)[0].token


def lacks_proof(origin: str, listed: tuple[Pattern, ...] | None) -> str:
    """Why nobody may test it yet; empty: it may be tested."""
    parts = urlsplit(origin)
    host, port = parts.hostname or "", parts.port
    named = tuple(pattern for pattern in listed or () if pattern.name != "*")
    if not settings.REQUIRE_OWNERSHIP or is_private(host) or allowed(named, origin) or _is_proved(host, port):
        return ""
    return (
        f"nobody has proved that {origin} may be tested: publish the text {token()} at {_address(origin)}, then add it "
        "under Proved hosts, by POST /api/proved-hosts/ or `manage.py prove`"
    )


def prove(url: str, user: Any = None) -> OwnedHost:
    """Fetch the file and note the host. Raises ProofError."""
    try:
        origin = origin_of(url if "://" in url else f"https://{url}")
    except ValueError as exc:
        raise ProofError(f"{exc}: give an address such as https://api.example.org") from exc
    parts = urlsplit(origin)
    port = None if parts.port in WELL_KNOWN else parts.port
    person = user if user is not None and user.is_authenticated else None
    try:
        _compare(origin)
    except ProofError as exc:
        record("host.prove", user=person, outcome="refused", details={"origin": origin, "why": str(exc)})
        raise
    found, _ = OwnedHost.objects.update_or_create(host=parts.hostname, port=port, defaults={"proved_by": person})
    record("host.prove", user=person, on=found, details={"origin": origin})
    return found


def _compare(origin: str) -> None:
    expected = token()
    try:
        published = in_time(lambda: _fetch(origin, expected), WITHIN_S, "proof")
    except OutOfTimeError as exc:
        raise ProofError(f"{_address(origin)} did not answer within {WITHIN_S:g} s") from exc
    if published.strip() != expected:
        raise ProofError(f"{_address(origin)} holds another text than {expected}: publish that, and nothing else")


def _fetch(origin: str, expected: str) -> str:
    """The file's text, in a thread that has no database. No redirect is followed, because it may lead to somebody
    else."""
    parts = urlsplit(origin)
    host, port = parts.hostname or "", parts.port or 0
    try:
        addresses = resolve(host, port, settings.ALLOW_PRIVATE, STEP_S)
        asking = http.client.HTTPConnection(host, port, timeout=STEP_S)
        asking.sock = _connected(addresses, host, tls=parts.scheme == "https")
        try:
            asking.request("GET", PATH, headers={"User-Agent": "token-burn", "Connection": "close"})
            answer = asking.getresponse()
            body = answer.read(BYTES + 1)
        finally:
            asking.close()
    except (TurnError, OSError, http.client.HTTPException) as exc:
        raise ProofError(f"{_address(origin)} could not be read: {exc}") from exc
    if answer.status != http.HTTPStatus.OK or len(body) > BYTES:
        what = f"HTTP {answer.status}" if answer.status != http.HTTPStatus.OK else f"more than {BYTES:,} bytes"
        raise ProofError(f"{_address(origin)} gave {what}: publish the text {expected} there")
    return body.decode("utf-8", "replace")


def _connected(addresses: Sequence[Address], host: str, *, tls: bool) -> socket.socket:
    plain = _dialled(addresses)
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if tls else plain
    except BaseException:
        plain.close()
        raise


def _dialled(addresses: Sequence[Address]) -> socket.socket:
    """A connection to the first that takes one: a machine without IPv6 cannot reach each of them."""
    failure = OSError("it has no address")
    for address in addresses:
        plain = socket.socket(address.family, socket.SOCK_STREAM)
        plain.settimeout(STEP_S)
        try:
            plain.connect(address.sockaddr)
        except OSError as exc:
            plain.close()
            failure = exc
        else:
            return plain
    raise failure


def _is_proved(host: str, port: int | None) -> bool:
    since = timezone.now() - timedelta(days=VALID_DAYS)
    return OwnedHost.objects.filter(Q(port=None) | Q(port=port), host=host, proved_at__gt=since).exists()


def _address(origin: str) -> str:
    """Of the file, without the port that goes without saying."""
    default = ":443" if origin.startswith("https") else ":80"
    return origin.removesuffix(default) + PATH
