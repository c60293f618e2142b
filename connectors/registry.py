"""Which class speaks which protocol, one line each. A user's own connectors come by the entry point group
`tokenburn.connectors` (name = protocol)."""

from __future__ import annotations

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
        "websocket": "connectors.wire.websocket:WebSocketConnector",
    },
    "reference": {
        "http": "connectors.reference.http:HttpConnector",
        "sse": "connectors.reference.sse:SseConnector",
        "websocket": "connectors.reference.websocket:WebSocketConnector",
    },
}
ENTRY_POINT_GROUP = "tokenburn.connectors"


@cache
def connector_class(protocol: str, lane: Lane = "load") -> type[BaseConnector]:
    """The class for `protocol`. Raises SpecError naming the known protocols."""
    if path := CONNECTORS[lane].get(protocol):
        module, _, name = path.partition(":")
        found = getattr(import_module(module), name)
    else:
        own = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
        if protocol not in own:
            known = ", ".join(sorted({*CONNECTORS[lane], *own}))
            raise SpecError(f"no connector speaks {protocol!r}: use one of {known}")
        found = own[protocol].load()
    if not (isinstance(found, type) and issubclass(found, BaseConnector)):
        raise SpecError(f"the connector for {protocol!r} is not a subclass of connectors.base.BaseConnector")
    return found
