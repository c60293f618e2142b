"""Before a run: one connection, no request, and one line that says what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from connectors.spec import TargetSpec, build_target_spec
from tests.support.services import reserve_port
from tokenburn_site.cli.burn.preflight import check_reachable
from tokenburn_site.cli.errors import EXIT_FAILED, BadUsage, CannotRun

STOP = b"the test is over"


class Listener:
    """Takes connections and answers each with `greeting`; keeps what it received."""

    def __init__(self, greeting: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.greeting = greeting
        self.port = self._socket.getsockname()[1]
        self.received: list[bytes] = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._socket.accept()
            with peer:
                peer.sendall(self.greeting)
                data = peer.recv(4096)
                if data == STOP:
                    return
                self.received.append(data)

    def close(self) -> None:
        """Waits until every connection before this one was served."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(STOP)
        self.thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    served = Listener(b"")
    yield served
    if served.thread.is_alive():
        served.close()


def target(url: str, **overrides: object) -> TargetSpec:
    return build_target_spec(name="t", url=url, preset="openai-chat", overrides=overrides)


def refused(spec: TargetSpec) -> str:
    with pytest.raises(CannotRun) as caught:
        check_reachable(spec)
    assert caught.value.exit_code == EXIT_FAILED
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_target_that_listens_gets_a_connection_and_no_request(listener: Listener) -> None:
    check_reachable(target(f"http://127.0.0.1:{listener.port}/v1"))
    listener.close()
    assert listener.received == [b""]


def test_nobody_listens() -> None:
    line = refused(target(f"http://127.0.0.1:{reserve_port()}/v1"))
    assert "connect_refused" in line
    assert "start the target" in line


def test_no_such_host() -> None:
    line = refused(target("http://no-such-host.invalid/v1"))
    assert "dns_failed" in line
    assert "check the host name" in line


def test_an_address_that_is_never_dialled() -> None:
    line = refused(target("http://169.254.169.254/v1"))
    assert "address_blocked" in line
    assert "no setting allows" in line


def test_a_port_that_does_not_speak_tls(listener: Listener) -> None:
    listener.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    line = refused(target(f"https://127.0.0.1:{listener.port}/v1"))
    assert "tls_failed" in line
    assert "https or http?" in line


def test_a_ca_file_that_is_not_there(listener: Listener) -> None:
    line = refused(target(f"https://127.0.0.1:{listener.port}/v1", tls={"ca_file": "/no/such/ca.pem"}))
    assert "/no/such/ca.pem" in line


def test_an_unknown_protocol() -> None:
    with pytest.raises(BadUsage, match="no connector speaks 'pigeon'"):
        check_reachable(target("http://127.0.0.1:1/v1", protocol="pigeon"))
