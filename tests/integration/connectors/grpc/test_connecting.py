"""gRPC's way to a target on both lanes: certificates on both sides, addresses, proxies, and missing servers."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from connectors.registry import Lane
from tests.integration.connectors.grpc.test_grpc import said, unary
from tests.integration.connectors.lanes import LANES, Client
from tests.support.servers.grpc_target import Target, grpc_target

lanes = pytest.mark.parametrize("lane", LANES)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def pem(cert: Any, folder: Path) -> dict[str, str]:
    """A leaf's certificate and key as files of a TlsSpec."""
    chain, key = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in cert.cert_chain_pems))
    cert.private_key_pem.write_to_path(str(key))
    return {"cert_file": str(chain), "key_file": str(key)}


def served(authority: trustme.CA, name: str, *, ask: bool = False) -> grpc.ServerCredentials:
    cert = authority.issue_cert(name)
    pair = (cert.private_key_pem.bytes(), b"".join(blob.bytes() for blob in cert.cert_chain_pems))
    return grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), require_client_auth=ask)


@lanes
@pytest.mark.parametrize("shown", [True, False], ids=["with our certificate", "without"])
def test_a_target_may_ask_for_our_certificate(lane: Lane, shown: bool, authority: trustme.CA, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    tls = {"ca_file": str(tmp_path / "ca.pem")} | (pem(authority.issue_cert("us"), tmp_path) if shown else {})
    with (
        grpc_target(Target(), served(authority, "127.0.0.1", ask=True)) as target,
        Client(lane, unary(target.url, tls=tls)) as client,
    ):
        turn = client.say("one")
    if shown:
        assert said([turn]) == [(None, "one number 0")]
    else:
        assert turn.code in {"tls_failed", "connection_closed", "connection_reset"}, turn.error
        assert target.asked == []


@lanes
@pytest.mark.parametrize("flaw", ["another name", "unknown authority", "no TLS there", "no such file"])
def test_what_else_can_be_wrong_with_tls(lane: Lane, flaw: str, authority: trustme.CA, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    tls = {"ca_file": str(tmp_path / ("none.pem" if flaw == "no such file" else "ca.pem"))}
    trusted = trustme.CA() if flaw == "unknown authority" else authority
    name = "elsewhere.example" if flaw == "another name" else "127.0.0.1"
    with grpc_target(Target(), None if flaw == "no TLS there" else served(trusted, name)) as target:
        url = target.url.replace("grpc:", "grpcs:")
        with Client(lane, unary(url, tls=tls)) as client:
            turn = client.say()
    assert turn.code == "tls_failed", turn.error
    assert turn.error is not None and "tls.ca_file" in str(turn.error) + turn.error.advice
    assert target.asked == []


@lanes
def test_a_private_address_is_refused_and_no_proxy_is_asked(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy, grpc_target(Target()) as target:
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with Client(lane, unary(target.url)) as client:
            assert client.say().code is None
        with Client(lane, unary(target.url), allow_private=False) as client:
            assert client.say().code == "address_blocked"
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert len(target.asked) == 1


@lanes
def test_a_closed_port_refuses_the_connection(lane: Lane) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Client(lane, unary(f"grpc://127.0.0.1:{port}")) as client:
        turn = client.say()
    assert turn.code == "connect_refused"
