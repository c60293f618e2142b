"""TLS on both lanes: trusted certificates pass, everything else is tls_failed with advice."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
import trustme

from connectors.registry import Lane
from tests.hostile import http, sse
from tests.hostile.good import GOOD
from tests.hostile.server import HostileServer, Peer
from tests.integration.connectors.lanes import LANES, ROOMY, Client, Turn, make_spec, one_turn, server_context

lanes = pytest.mark.parametrize("lane", LANES)
protocols = pytest.mark.parametrize("protocol", list(GOOD))
OWN_STEPS = {
    "grpc": {"descriptors"},
    "split": {"standing"},
    "split-websocket": {"upgrade"},
    "websocket": {"upgrade"},
    "socketio": {"upgrade", "socketio"},
}
"""Steps of connecting that only some protocols have."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert("127.0.0.1", "localhost"))


def assert_tls_failed(turn: Turn, advice: str, server: HostileServer) -> None:
    assert turn.error is not None
    assert turn.code == "tls_failed", turn.error
    assert advice in turn.error.advice
    assert "\n" not in turn.error.detail + turn.error.advice
    assert turn.timeline.sent_ns is None
    assert server.requests == []


@lanes
@protocols
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_trusted_certificate_passes_and_streams(
    lane: Lane, protocol: str, host: str, tls: ssl.SSLContext, ca_file: Path
) -> None:
    with HostileServer(GOOD[protocol], tls) as server:
        spec = make_spec(protocol, f"https://{host}:{server.port}", tls={"ca_file": str(ca_file)})
        with Client(lane, spec) as client:
            turns = client.say_all(["one", "two"])
        # Over WebSocket the upgrade alone is a request; the messages are none.
        counts = {
            **dict.fromkeys(OWN_STEPS, (1, 1)),
            "grpc": (1, 2),
            "split": (2, 3),
            "split-websocket": (2, 3),
        }  # the last two have a stream beside their posts
        assert (server.connections, len(server.requests)) == counts.get(protocol, (1, 2))
    tokens_out = None if protocol == "text" else 4
    assert [(t.code, t.text, t.timeline.tokens_out) for t in turns] == [(None, http.TEXT, tokens_out)] * 2
    steps = {"resolve", "connect", "tls"} | OWN_STEPS.get(protocol, set())
    steps -= {"tls"} if protocol == "grpc" else set()  # its library does not tell it from connecting
    assert set(turns[0].timeline.handshake_ns or {}) == steps
    if protocol != "http":
        assert len(turns[0].timeline.gaps_ns) == len(sse.WORDS) - 1


@lanes
def test_pieces_of_a_stream_arrive_one_by_one(lane: Lane, tls: ssl.SSLContext, ca_file: Path) -> None:
    def slowly(peer: Peer) -> None:
        peer.read_request()
        peer.send(sse.STREAM_HEAD)
        for event in (*sse.PIECES, sse.DONE):
            peer.pause(0.05)
            peer.send(b"%x\r\n%b\r\n" % (len(event), event))
        peer.send(b"0\r\n\r\n")
        peer.hold()

    with HostileServer(slowly, tls) as server:
        turn = one_turn(lane, make_spec("sse", server.url, tls={"ca_file": str(ca_file)}))
    assert (turn.code, turn.text) == (None, sse.TEXT)
    assert all(gap > 30_000_000 for gap in turn.timeline.gaps_ns), turn.timeline.gaps_ns


@lanes
def test_an_unknown_authority(lane: Lane, tls: ssl.SSLContext) -> None:
    with HostileServer(http.good, tls) as server:
        turn = one_turn(lane, make_spec("http", server.url))
        assert_tls_failed(turn, "tls.ca_file", server)


@lanes
def test_another_authority(lane: Lane, tls: ssl.SSLContext, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with HostileServer(http.good, tls) as server:
        turn = one_turn(lane, make_spec("http", server.url, tls={"ca_file": str(other)}))
        assert_tls_failed(turn, "tls.ca_file", server)


@lanes
def test_a_certificate_for_another_host(lane: Lane, authority: trustme.CA, ca_file: Path) -> None:
    with HostileServer(http.good, server_context(authority.issue_cert("bot.example"))) as server:
        turn = one_turn(lane, make_spec("http", server.url, tls={"ca_file": str(ca_file)}))
        assert_tls_failed(turn, "host name", server)


@lanes
def test_an_expired_certificate(lane: Lane, authority: trustme.CA, ca_file: Path) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    expired = authority.issue_cert("127.0.0.1", not_before=past, not_after=past + datetime.timedelta(days=1))
    with HostileServer(http.good, server_context(expired)) as server:
        turn = one_turn(lane, make_spec("http", server.url, tls={"ca_file": str(ca_file)}))
        assert_tls_failed(turn, "", server)
        assert turn.error is not None
        assert "expired" in turn.error.detail


@lanes
def test_verify_false_accepts_any_certificate(lane: Lane, tls: ssl.SSLContext) -> None:
    with HostileServer(http.good, tls) as server:
        assert one_turn(lane, make_spec("http", server.url, tls={"verify": False})).code is None


@lanes
@pytest.mark.parametrize("content", [None, "this is no certificate"])
def test_a_ca_file_that_cannot_be_used(lane: Lane, content: str | None, tls: ssl.SSLContext, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with HostileServer(http.good, tls) as server:
        turn = one_turn(lane, make_spec("http", server.url, tls={"ca_file": str(path)}))
        assert_tls_failed(turn, "PEM", server)


@lanes
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@protocols
def test_a_target_that_wants_a_certificate_of_ours(
    lane: Lane, protocol: str, version: ssl.TLSVersion, authority: trustme.CA, ca_file: Path
) -> None:
    """With TLS 1.3 it reports this after the handshake, and the report may be lost with the connection."""
    context = server_context(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    authority.configure_trust(context)
    with HostileServer(GOOD[protocol], context) as server:
        turn = one_turn(lane, make_spec(protocol, server.url, tls={"ca_file": str(ca_file)}, timeouts=ROOMY))
    lost = {"connection_reset", "connection_closed"} if version is ssl.TLSVersion.TLSv1_3 else set()
    assert turn.error is not None and turn.code in {"tls_failed"} | lost, turn.error
    assert "tls.cert_file" in turn.error.advice


@lanes
def test_plain_http_on_the_tls_port(lane: Lane) -> None:
    def plain(peer: Peer) -> None:
        peer.pause(5)

    def talks_first(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        peer.hold()

    with HostileServer(talks_first) as server:
        turn = one_turn(lane, make_spec("http", f"https://127.0.0.1:{server.port}"))
        assert_tls_failed(turn, "speaks TLS", server)
    with HostileServer(plain) as server:  # reads the TLS greeting and closes
        turn = one_turn(lane, make_spec("http", f"https://127.0.0.1:{server.port}"))
        assert_tls_failed(turn, "speaks TLS", server)


@lanes
def test_a_handshake_that_hangs_is_a_connect_timeout(lane: Lane) -> None:
    with HostileServer(Peer.hold) as server:
        spec = make_spec("http", f"https://127.0.0.1:{server.port}", timeouts=ROOMY | {"connect": 0.5})
        turn = one_turn(lane, spec)
    assert turn.code == "connect_timeout"
    assert turn.late_s < 10


@lanes
def test_tls_on_the_plain_port_is_an_error_of_the_transport(lane: Lane, tls: ssl.SSLContext) -> None:
    with HostileServer(http.good, tls) as server:
        turn = one_turn(lane, make_spec("http", f"http://127.0.0.1:{server.port}"))
        assert turn.code in {"http_malformed", "connection_closed", "connection_reset"}
        assert server.requests == []


@lanes
def test_a_stream_cut_off_under_tls(lane: Lane, tls: ssl.SSLContext, ca_file: Path) -> None:
    def cut(peer: Peer) -> None:
        peer.read_request()
        peer.send(sse.STREAM_HEAD + b"%x\r\n%b\r\n" % (len(sse.PIECES[0]), sse.PIECES[0]))

    with HostileServer(cut, tls) as server:
        turn = one_turn(lane, make_spec("sse", server.url, tls={"ca_file": str(ca_file)}))
    assert turn.code in {"body_truncated", "connection_reset"}


NAMED = ["http", "websocket", "grpc", "socketio", "split", "split-websocket"]


@lanes
@pytest.mark.parametrize("protocol", NAMED)
@pytest.mark.parametrize(("host", "named"), [("localhost", "localhost"), ("127.0.0.1", None)])
def test_the_server_is_told_which_host_name_is_meant_and_never_an_address(
    lane: Lane, protocol: str, host: str, named: str | None, authority: trustme.CA, ca_file: Path
) -> None:
    """Servers choose their certificate by this name (SNI); RFC 6066 has no addresses in it."""
    seen: list[str | None] = []
    context = server_context(authority.issue_cert("127.0.0.1", "localhost"))
    context.sni_callback = lambda _sock, name, _context: seen.append(name)
    with HostileServer(GOOD[protocol], context) as server:
        spec = make_spec(protocol, f"https://{host}:{server.port}", tls={"ca_file": str(ca_file)})
        assert one_turn(lane, spec).code is None
        assert seen == [named] * server.connections
