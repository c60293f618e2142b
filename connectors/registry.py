"""Which class speaks which protocol, one line each. A user's own connectors come by the entry point group
`tokenburn.connectors` (name = protocol), or by the setting TOKENBURN_CONNECTORS through `register`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Literal

from connectors.base import BaseConnector
from connectors.spec import SpecError

Lane = Literal["load", "reference"]

CONNECTORS: dict[Lane, dict[str, str]] = {
    "load": {
        "http": "connectors.wire.connector:HttpConnector",
        "sse": "connectors.wire.connector:SseConnector",
        "ndjson": "connectors.wire.connector:NdjsonConnector",
        "split": "connectors.wire.split:SplitConnector",
        "split-websocket": "connectors.wire.split_socket:SplitSocketConnector",
        "grpc": "connectors.wire.grpc:GrpcConnector",
        "websocket": "connectors.wire.websocket:WebSocketConnector",
        "socketio": "connectors.wire.socketio:SocketIoConnector",
    },
    "reference": {
        "http": "connectors.reference.http:HttpConnector",
        "sse": "connectors.reference.sse:SseConnector",
        "ndjson": "connectors.reference.ndjson:NdjsonConnector",
        "split": "connectors.reference.split:SplitConnector",
        "split-websocket": "connectors.reference.split_socket:SplitSocketConnector",
        "grpc": "connectors.reference.grpc:GrpcConnector",
        "websocket": "connectors.reference.websocket:WebSocketConnector",
        "socketio": "connectors.reference.socketio:SocketIoConnector",
    },
}
ENTRY_POINT_GROUP = "tokenburn.connectors"
_registered: dict[str, str] = {}


def register(own: Mapping[str, str]) -> None:
    """Add connectors by hand: protocol to `module:Class`. Instead of those registered before."""
    _registered.clear()
    _registered.update(own)
    connector_class.cache_clear()


@cache
def connector_class(protocol: str, lane: Lane = "load") -> type[BaseConnector]:
    """The class for `protocol`. Raises SpecError naming the known protocols."""
    if path := CONNECTORS[lane].get(protocol) or _registered.get(protocol):
        found = _load(path, protocol)
    else:
        own = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if protocol not in own:
            known = ", ".join(sorted({*CONNECTORS[lane], *_registered, *own}))
            raise SpecError(f"no connector speaks {protocol!r}: use one of {known}")
        found = own[protocol].load()
    if not (isinstance(found, type) and issubclass(found, BaseConnector)):
        raise SpecError(f"the connector for {protocol!r} is not a subclass of connectors.base.BaseConnector")
    return found


def _load(path: str, protocol: str) -> object:
    """What `module:Class` names. Raises SpecError."""
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise SpecError(f"the connector for {protocol!r}, {path!r}, cannot be loaded: {exc}") from exc
