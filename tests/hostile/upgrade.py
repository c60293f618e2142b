"""Hostile chatbots that do not get as far as a WebSocket: the answer to the upgrade is wrong, or has no end."""

from __future__ import annotations

import base64

from tests.hostile.frames import CLOSE, accepted, frame, upgrade
from tests.hostile.server import BLOCK, Peer
from tests.hostile.table import head, hostile, whole
from tests.hostile.websocket import ANSWER


@hostile("websocket", "upgrade_malformed")
def websocket_wrong_accept(peer: Peer) -> None:
    peer.read_request()
    accept = base64.b64encode(b"not what was asked for").decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    peer.send(head(*lines, status="101 Switching Protocols") + ANSWER)
    peer.hold()


@hostile("websocket", "upgrade_malformed")
def websocket_upgrade_without_its_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(status="101 Switching Protocols"))
    peer.hold()


@hostile("websocket", "upgrade_malformed")
def websocket_not_http(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    peer.hold()


@hostile("websocket", "upgrade_malformed")
def websocket_extension_that_nobody_asked_for(peer: Peer) -> None:
    upgrade(peer, "Sec-WebSocket-Extensions: x-webkit-mux")
    peer.hold()


@hostile("websocket", "upgrade_malformed")
def websocket_subprotocol_that_nobody_asked_for(peer: Peer) -> None:
    upgrade(peer, "Sec-WebSocket-Protocol: chat")
    peer.hold()


@hostile("websocket", "http_200")
def websocket_answers_200(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"response": "this is an HTTP API"}'))
    peer.hold()


@hostile("websocket", "http_401")
def websocket_refused_without_an_end(peer: Peer) -> None:
    """The refusal counts, however slowly its reason comes."""
    peer.read_request()
    peer.send(head("Content-Length: 5000", status="401 Unauthorized") + b'{"error":')
    peer.hold()


@hostile("websocket", "http_403")
def websocket_refused_with_an_endless_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Content-Length: 99999999999999999999", status="403 Forbidden"))
    peer.send_forever(b"x" * BLOCK)


@hostile("websocket", "http_302")
def websocket_redirected(peer: Peer) -> None:
    peer.read_request()
    peer.send(head("Location: ws://169.254.169.254/", "Content-Length: 0", status="302 Found"))
    peer.hold()


@hostile("websocket", "header_too_large")
def websocket_endless_upgrade_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
    peer.send_forever(b"X-More: and more\r\n" * 100)


@hostile("websocket", "header_too_large")
def websocket_endless_upgrade_line(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 101 ")
    peer.send_forever(b"x" * BLOCK)


@hostile("websocket", "connect_timeout")
def websocket_upgrade_without_end(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
    peer.hold()


@hostile("websocket", "connect_timeout")
def websocket_upgrade_byte_by_byte(peer: Peer) -> None:
    peer.drip(accepted(peer.read_request()), 0.1)


@hostile("websocket", "connection_closed")
def websocket_closes_instead_of_upgrading(peer: Peer) -> None:
    peer.read_request()


@hostile("websocket", "connection_reset")
def websocket_resets_instead_of_upgrading(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


@hostile("websocket", "ws_closed_1013")
def websocket_closes_right_behind_the_101(peer: Peer) -> None:
    peer.send(accepted(peer.read_request()) + frame((1013).to_bytes(2, "big") + b"try again later", CLOSE))
    peer.hold()
