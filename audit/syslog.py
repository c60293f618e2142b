"""Sends the log to a syslog server: RFC 5424, by UDP, TCP, TLS or a local socket.

The standard library's handler neither counts octets nor notices a server that went away, so frames are written here.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from audit.export import batches, line
from audit.models import AuditEvent, AuditOutlet, Outcome
from audit.tally import write_counts

WAIT_S = 5.0
PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
AUDIT, NOTICE, WARNING = 13 << 3, 5, 4
"""Facility "log audit", and severities."""
UDP_BYTES = 8192


class BadAddress(ValueError):
    """TOKENBURN_AUDIT_SYSLOG is no address; the message says what is."""


def frame(event: AuditEvent, host: str) -> bytes:
    severity = NOTICE if event.outcome == Outcome.DONE else WARNING
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"<{AUDIT | severity}>1 {at} {host} token-burn {os.getpid()} audit - {line(event)}".encode()


def send_new(address: str) -> int:
    """Send what the server does not have yet. Returns the number of events. Raises OSError; what was not taken is sent
    by the next call."""
    write_counts()
    outlet, _ = AuditOutlet.objects.get_or_create(name=address)
    sent = 0
    try:
        for events in batches(outlet.position):
            _send(address, events)
            position = events[-1].sequence or 0
            # Never back: another worker may have sent more.
            behind = AuditOutlet.objects.filter(pk=outlet.pk, position__lt=position)
            behind.update(position=position, sent_at=timezone.now(), problem="")
            sent += len(events)
    except OSError as exc:
        AuditOutlet.objects.filter(pk=outlet.pk).update(problem=str(exc)[:200])
        raise
    return sent


def check(address: str) -> None:
    """Raises BadAddress."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").encode("idna")
        right = (parts.scheme in PORTS and bool(host) and (parts.port or 1) > 0) or (
            parts.scheme == "unix" and bool(parts.path)
        )
    except ValueError:  # a UnicodeError too
        right = False
    if not right:
        raise BadAddress("use tls://HOST:6514, tcp://HOST:601, udp://HOST:514 or unix:///dev/log")


def _send(address: str, events: Sequence[AuditEvent]) -> None:
    check(address)
    parts = urlsplit(address)
    host = socket.gethostname() or "-"
    frames = [frame(event, host) for event in events]
    if parts.scheme == "unix":
        _datagrams(socket.AF_UNIX, parts.path, frames)
    elif parts.scheme == "udp":
        found = socket.getaddrinfo(parts.hostname, parts.port or PORTS["udp"], type=socket.SOCK_DGRAM)
        family, _, _, _, where = found[0]
        _datagrams(family, where, [one[:UDP_BYTES] for one in frames])
    else:
        _stream(str(parts.hostname), parts.port or PORTS[parts.scheme], frames, parts.scheme == "tls")


def _datagrams(family: int, where: tuple[Any, ...] | str, frames: Sequence[bytes]) -> None:
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as sender:
        sender.settimeout(WAIT_S)
        sender.connect(where)
        for one in frames:
            sender.send(one)


def _stream(host: str, port: int, frames: Sequence[bytes], tls: bool) -> None:
    """Ends the connection and waits for the server to do so: whatever it did not read would be answered by a reset."""
    with closing(socket.create_connection((host, port), timeout=WAIT_S)) as plain:
        connection = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if tls else plain
        with closing(connection):
            connection.sendall(b"".join(b"%d %s" % (len(one), one) for one in frames))
            if isinstance(connection, ssl.SSLSocket):
                connection = connection.unwrap()
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
