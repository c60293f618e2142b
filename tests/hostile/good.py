"""A well-behaved server of each protocol, for the session beside a hostile one. Importing it fills the table."""

from __future__ import annotations

import tests.hostile.grpc_breaches
import tests.hostile.http2_floods
import tests.hostile.http2_nonsense
import tests.hostile.http_encodings
import tests.hostile.http_nonsense
import tests.hostile.socketio_answers
import tests.hostile.split_socket_upgrade
import tests.hostile.sse_nonsense
import tests.hostile.upgrade
import tests.hostile.websocket_breaches  # noqa: F401 - it only fills the table
from tests.hostile import grpc, http, http2_answers, ndjson, socketio, split, split_socket, sse, text, then, websocket
from tests.hostile.server import Script

GOOD: dict[str, Script] = {
    "http": http.good,
    "sse": sse.good,
    "ndjson": ndjson.good,
    "text": text.good,
    "split": split.good,
    "split-websocket": split_socket.good,
    "grpc": grpc.good,
    "websocket": websocket.good,
    "socketio": socketio.good,
}
VARIANTS: dict[str, Script] = {"then": then.good}
"""Of the same protocols otherwise: turns of several requests."""
HTTP2: dict[str, Script] = {"http2": http2_answers.good}
"""The same protocol as `sse`, in another version of HTTP, and with tests of its own."""
