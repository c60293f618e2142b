"""A well-behaved server of each protocol, for the session beside a hostile one. Importing it fills the table."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

import tests.hostile
from tests.hostile import (
    aws,
    grpc,
    http,
    ndjson,
    polling,
    signalr,
    socketio,
    split,
    split_socket,
    sse,
    stomp,
    text,
    then,
    websocket,
)
from tests.hostile.http2 import answers as http2_answers
from tests.hostile.server import Script

for module in walk_packages(tests.hostile.__path__, "tests.hostile."):
    import_module(module.name)

GOOD: dict[str, Script] = {
    "http": http.good,
    "sse": sse.good,
    "ndjson": ndjson.good,
    "text": text.good,
    "aws-eventstream": aws.good,
    "split": split.good,
    "split-websocket": split_socket.good,
    "grpc": grpc.good,
    "websocket": websocket.good,
    "socketio": socketio.good,
}
VARIANTS: dict[str, Script] = {
    "then": then.good,
    "polling": polling.good,
    "signalr": signalr.good,
    "stomp": stomp.good,
}
"""Of the same protocols otherwise: turns of several requests, and what others make of a protocol."""
HTTP2: dict[str, Script] = {"http2": http2_answers.good}
"""The same protocol as `sse`, in another version of HTTP, and with tests of its own."""
