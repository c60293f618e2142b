"""Hostile chatbots of the split style whose stream should be a WebSocket, and is none: each script serves both kinds of
connection, as in `tests.hostile.split`."""

from __future__ import annotations

import base64

from tests.hostile.server import BLOCK, Peer
from tests.hostile.table import JSON_TYPE, head, hostile, whole
from tests.hostile.websocket import ANSWER


@hostile("split-websocket", "http_200")
def split_websocket_answers_200(peer: Peer) -> None:
    peer.read_request()
    peer.send(whole(b'{"response": "this is an HTTP API"}'))
    peer.hold()


@hostile("split-websocket", "http_403")
def split_websocket_refused_with_an_endless_page(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(JSON_TYPE, "Content-Length: 99999999999999999999", status="403 Forbidden"))
    peer.send_forever(b"x" * BLOCK)


@hostile("split-websocket", "upgrade_malformed")
def split_websocket_wrong_accept(peer: Peer) -> None:
    peer.read_request()
    accept = base64.b64encode(b"not what was asked for").decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}")
    peer.send(head(*lines, status="101 Switching Protocols") + ANSWER)
    peer.hold()


@hostile("split-websocket", "upgrade_malformed")
def split_websocket_a_stream_of_events_instead(peer: Peer) -> None:
    peer.read_request()
    peer.send(head(status="101 Switching Protocols") + b"data: {}\n\n")
    peer.hold()


@hostile("split-websocket", "header_too_large")
def split_websocket_endless_upgrade_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
    peer.send_forever(b"X-More: and more\r\n" * 100)


@hostile("split-websocket", "connect_timeout")
def split_websocket_never_upgraded(peer: Peer) -> None:
    peer.read_request()
    peer.hold()


@hostile("split-websocket", "connection_reset")
def split_websocket_resets_instead_of_upgrading(peer: Peer) -> None:
    peer.read_request()
    peer.reset()
