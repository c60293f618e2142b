"""The server of pages and sockets against bytes that no browser sends: bounded, no error of its own, flat memory."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from runs.models import Run, RunStatus
from runs.web.consumers import MAX_SOCKETS, NO_PAGE, TOO_MANY
from tests.integration.web import made_up
from tests.integration.web.pages.conftest import Server
from tests.integration.web.pages.page_socket import session_of
from tests.support.attacks.raw_frames import BINARY, PING, TEXT, closing_code, frame, read_until, sent
from tests.support.runs import until
from tokenburn_site.web.daphne_requests import MAX_BODY

WAIT_S = 60.0
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKES = 800
FRAMES = 200
GROWTH_BYTES = 12_000_000
LOG_BYTES_EACH = 500
"""Lines of the access log: a handshake has three."""
LOGIN = b"GET /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@dataclass
class Site:
    """A running site, a run on it and the session of somebody who may look at it."""

    url: str
    log: Path
    pid: int
    run: Run
    session: str
    begin: int
    """Where the log of this test begins."""

    def wire(self) -> socket.socket:
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=WAIT_S)

    def ask(self, data: bytes) -> bytes:
        """The head of the answer; empty: the server closed the connection without one."""
        with self.wire() as wire:
            return sent(wire, data)

    def handshake(self, leave_out: str = "", more: bytes = b"", path: bytes = b"") -> bytes:
        headers = {
            "Host": urlsplit(self.url).netloc,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY.decode(),
            "Sec-WebSocket-Version": "13",
            "Origin": self.url,
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={self.session}",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != leave_out)
        return b"GET %s HTTP/1.1\r\n" % (path or b"/ws/runs/%d/" % self.run.pk) + lines.encode() + more + b"\r\n"

    def page(self) -> socket.socket:
        """An open socket of the live page, its handshake done."""
        wire = self.wire()
        assert sent(wire, self.handshake()).startswith(b"HTTP/1.1 101 ")
        return wire

    def memory(self) -> int:
        """Resident bytes of the server."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def errors(self) -> list[str]:
        lines = self.log.read_bytes()[self.begin :].decode("utf-8", "replace").splitlines()
        return [line for line in lines if "Traceback" in line or " ERROR " in line]

    def logged(self) -> int:
        return self.log.stat().st_size - self.begin

    def is_well(self) -> bool:
        return self.ask(LOGIN).startswith(b"HTTP/1.1 200 ")


@pytest.fixture
def site(transactional_db: None, valkey: str, server: Server) -> Iterator[Site]:
    run = made_up.run(RunStatus.RUNNING)
    made_up.publish(run, 3)
    session = session_of(made_up.user("runs.view_run"))
    site = Site(server.url, server.log, server.pid, run, session, server.log.stat().st_size)
    yield site
    assert site.is_well()
    assert site.errors() == []


BROKEN = [
    ("Sec-WebSocket-Key", b""),
    ("Sec-WebSocket-Key", b"Sec-WebSocket-Key: \xff\r\n"),
    ("Sec-WebSocket-Version", b"Sec-WebSocket-Version: x\r\n"),
    ("Connection", b""),
    ("Host", b""),
    ("Host", b"Host: [::1\r\n"),
    ("Host", b"Host: \xff\r\n"),
    ("Cookie", b""),
    ("Cookie", b"Cookie: \xff\xfe=;;;sessionid=\x01\r\n"),
    ("Cookie", b"Cookie: sessionid=%00\r\n"),
    ("Origin", b""),
    ("Origin", b"Origin: http://[\r\n"),
    ("Origin", b"Origin: http://a:b\r\n"),
    ("Origin", b"Origin: null\r\n"),
    ("Origin", b"Origin: \xff\r\n"),
    ("Origin", b"Origin: http://evil.example\r\n"),
    ("", b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99\r\n"),
    ("", b"X: y\r\n" * 1000),
    ("", b"X: " + b"y" * 20_000 + b"\r\n"),
    ("", b"Content-Length: 5\r\n\r\nhello"),
    ("", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
]
"""Handshakes: a header that is left out, and what stands there instead."""


def test_a_handshake_that_is_none_is_refused(site: Site) -> None:
    for leave_out, more in BROKEN:
        answer = site.ask(site.handshake(leave_out, more))
        assert answer == b"" or answer.split()[1].startswith(b"4"), (leave_out, more, answer)


def test_headers_that_mean_nothing_here_change_nothing(site: Site) -> None:
    for name in (b"Sec-WebSocket-Protocol", b"Daphne-Root-Path", b"X-Forwarded-For"):
        assert site.ask(site.handshake(more=name + b": \xff\r\n")).startswith(b"HTTP/1.1 101 "), name


@pytest.mark.timeout(300)
def test_random_handshakes_are_answered_and_memory_stays_flat(site: Site) -> None:
    rng = random.Random(12)
    before = 0
    for number in range(HANDSHAKES):
        data = bytearray(site.handshake(path=rng.choice([b"", b"/ws/runs/x/", b"/", b"/ws/runs/%ff/?last=%00"])))
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[place] = rng.randrange(256)
            else:
                data[place : place + rng.randint(0, 9)] = rng.choice(
                    [b"", b"\r\n", b":", b"\xff" * 9, os.urandom(4), b" "]
                )
        answer = site.ask(bytes(data) + b"\r\n\r\n")
        assert answer == b"" or int(answer.split()[1]) < 500, (bytes(data), answer)
        if number == HANDSHAKES // 3:
            before = site.memory()
    assert site.memory() - before < GROWTH_BYTES
    assert site.logged() < HANDSHAKES * LOG_BYTES_EACH


@pytest.mark.timeout(300)
def test_random_frames_end_the_socket_and_memory_stays_flat(site: Site) -> None:
    rng = random.Random(13)
    before = 0
    for number in range(FRAMES):
        with site.page() as wire:
            kind = rng.randrange(6)
            payload = os.urandom(rng.choice([0, 1, 60, 125, 126, 1000, 1025, 70_000]))
            if kind == 0:
                data = os.urandom(rng.randint(2, 3000))
            elif kind == 1:
                data = frame(rng.randrange(16), payload, first=rng.randrange(16) << 4)
            elif kind == 2:
                data = frame(rng.choice([TEXT, BINARY]), payload, length=rng.choice([2**40, 2**63, 1_000_000]))
            elif kind == 3:
                data = frame(TEXT, payload, masked=False)
            elif kind == 4:
                data = frame(TEXT, b"x", first=0) * 3 + frame(0, payload)
            else:
                data = frame(PING, b"x") * 200 + frame(BINARY, payload)
            with contextlib.suppress(OSError):
                wire.sendall(data)
        if number == FRAMES // 3:
            before = site.memory()
    assert site.memory() - before < GROWTH_BYTES
    assert site.logged() < FRAMES * LOG_BYTES_EACH


SAID: list[tuple[bytes, int | None]] = [
    (frame(TEXT, b'{"type": "stop"}'), NO_PAGE),
    (frame(BINARY, b"\xff\0"), NO_PAGE),
    (frame(TEXT, b"\xff\xfe"), None),
    (frame(BINARY, b"x" * 1025), None),
    (frame(BINARY, length=2**40), None),
    (frame(TEXT, b"x", masked=False), None),
    (frame(11, b"x"), None),
    (frame(PING, b"x" * 126), None),
]
"""What a client says and the code with which it is disconnected. None: at once, since it is no message."""


def test_who_says_something_is_disconnected(site: Site) -> None:
    for data, code in SAID:
        with site.page() as wire:
            wire.sendall(data)
            assert closing_code(wire) == code, data


def test_a_ping_is_answered_and_the_page_stays(site: Site) -> None:
    with site.page() as wire:
        wire.sendall(frame(PING, b"here"))
        assert b"\x8a\x04here" in read_until(wire, b"\x8a\x04here")


def test_one_user_has_a_bounded_number_of_sockets(site: Site) -> None:
    files = site.files()
    pages = [site.page() for _ in range(MAX_SOCKETS)]
    with site.page() as one_more:
        assert closing_code(one_more) == TOO_MANY
    assert site.is_well()
    for page in pages:
        page.close()
    until(lambda: site.files() <= files + 5)
    with site.page() as again:
        assert b'"entries"' in read_until(again, b'"entries"')


def test_half_handshakes_keep_nobody_out(site: Site) -> None:
    halves = [site.wire() for _ in range(200)]
    for number, half in enumerate(halves):
        half.sendall(site.handshake()[: number + 20])
    assert site.is_well()
    with site.page() as page:
        assert b'"entries"' in read_until(page, b'"entries"')
    for half in halves:
        half.close()


@pytest.mark.parametrize(
    "head", [b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_no_stranger_fills_the_disk_with_a_body(site: Site, head: bytes) -> None:
    piece = b"x" * 1_000_000
    chunk = b"%x\r\n%s\r\n" % (len(piece), piece) if b"chunked" in head else piece
    total = 0
    with site.wire() as wire:
        wire.sendall(b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head)
        with pytest.raises(OSError):  # refused while it is still sent
            while total < 3 * MAX_BODY:
                wire.sendall(chunk)
                total += len(piece)
    assert total < MAX_BODY + 10_000_000
