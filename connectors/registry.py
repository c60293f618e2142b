"""Maps each protocol to its class, one line each. Custom connectors register in the entry point group
`tokenburn.connectors` (name = protocol) or through the setting TOKENBURN_CONNECTORS and `register`."""

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
        "http": "connectors.wire.http_connectors:HttpConnector",
        "sse": "connectors.wire.http_connectors:SseConnector",
        "ndjson": "connectors.wire.http_connectors:NdjsonConnector",
        "text": "connectors.wire.http_connectors:TextConnector",
        "aws-eventstream": "connectors.wire.http_connectors:AwsConnector",
        "split": "connectors.wire.split.connector:SplitConnector",
        "split-websocket": "connectors.wire.split.socket:SplitSocketConnector",
        "grpc": "connectors.wire.grpc.connector:GrpcConnector",
        "websocket": "connectors.wire.websocket.connector:WebSocketConnector",
        "socketio": "connectors.wire.socketio.connector:SocketIoConnector",
    },
    "reference": {
        "http": "connectors.reference.http_connectors:HttpConnector",
        "sse": "connectors.reference.http_connectors:SseConnector",
        "ndjson": "connectors.reference.http_connectors:NdjsonConnector",
        "text": "connectors.reference.http_connectors:TextConnector",
        "aws-eventstream": "connectors.reference.http_connectors:AwsConnector",
        "split": "connectors.reference.split.connector:SplitConnector",
        "split-websocket": "connectors.reference.split.socket:SplitSocketConnector",
        "grpc": "connectors.reference.grpc.connector:GrpcConnector",
        "websocket": "connectors.reference.websocket.connector:WebSocketConnector",
        "socketio": "connectors.reference.socketio.connector:SocketIoConnector",
    },
}
ENTRY_POINT_GROUP = "tokenburn.connectors"
_registered: dict[str, str] = {}


def register(own: Mapping[str, str]) -> None:
    """Register custom connectors: protocol to `module:Class`. Replaces earlier registrations."""
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
