"""Syslog over TLS: servers of a known authority, and others; servers that end TLS in order, and others."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from audit import syslog
from audit.models import AuditOutlet
from audit.services import record

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_S = 60.0


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The one that this machine knows."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@contextmanager
def served(
    authority: trustme.CA, name: str = "localhost", *, in_order: bool = True
) -> Iterator[tuple[str, list[bytes]]]:
    """Address and data of a server for one connection, which closes it when it has read the end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    listening, data = socket.create_server(("127.0.0.1", 0)), list[bytes]()
    listening.settimeout(WAIT_S)

    def serve() -> None:
        with suppress(OSError), listening.accept()[0] as plain:
            plain.settimeout(WAIT_S)
            connection = context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=True)
            while piece := connection.recv(65536):
                data.append(piece)
            if in_order:
                connection.unwrap()
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"tls://localhost:{listening.getsockname()[1]}", data
    listening.close()
    thread.join(WAIT_S)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_server_gets_what_is_new_whether_it_ends_tls_in_order_or_not(authority: trustme.CA, in_order: bool) -> None:
    record("login")
    with served(authority, in_order=in_order) as (address, data):
        assert syslog.send_new(address) == 1
    assert b" token-burn " in b"".join(data)
    outlet = AuditOutlet.objects.get()
    assert (outlet.position, outlet.problem) == (1, "")


@pytest.mark.parametrize("flaw", ["unknown authority", "another name"])
def test_a_server_that_is_not_the_one_meant_gets_nothing(authority: trustme.CA, flaw: str) -> None:
    record("login")
    other = trustme.CA() if flaw == "unknown authority" else authority
    with (
        served(other, "elsewhere.example" if flaw == "another name" else "localhost") as (address, data),
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        syslog.send_new(address)
    assert data == []
    outlet = AuditOutlet.objects.get()
    assert outlet.position == 0
    assert "certificate verify failed" in outlet.problem


def test_a_server_without_tls_gets_nothing() -> None:
    record("login")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_S)
        heard: list[bytes] = []

        def answer() -> None:
            with listening.accept()[0] as connection:
                heard.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ssl.SSLError):
            syslog.send_new(f"tls://localhost:{listening.getsockname()[1]}")
        thread.join(WAIT_S)
    assert b"login" not in heard[0]
    assert AuditOutlet.objects.get().position == 0
