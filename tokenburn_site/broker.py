"""The broker's transport: logs and drops messages that no worker can read, instead of ending the worker.

kombu hands whatever lies in a queue to the worker's loop, which ends at the first surprise: one `LPUSH load '[]'`
would do. A message is a nudge here, so a dropped one costs a few seconds (see `tokenburn_site.config.celeryconf`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as stock
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

logger = logging.getLogger(__name__)
SHOWN_CHARS: Final = 200
BAD_DATA: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions of code that meets data of another shape than expected."""


class Channel(stock.Channel):
    """Drops what is not JSON before kombu parses it. Its keys begin with the installation's id."""

    @property
    def global_keyprefix(self) -> str:  # type: ignore[override]  # read when it is needed, not with the settings
        """kombu puts it before all names: queues, bindings, unacknowledged messages and their lock."""
        from runs.broker_keys import broker_key  # not with this module: Django's apps have to be ready first

        return broker_key()

    def _create_client(self, asynchronous: bool = False) -> Any:
        client = super()._create_client(asynchronous)  # type: ignore[misc]  # kombu is half typed
        client.set_response_callback("BRPOP", self._readable)
        return client

    def _readable(self, response: Any, **_: Any) -> tuple[Any, Any] | None:
        """[key, item] if the item can be parsed, otherwise None, as if nothing had arrived."""
        if not response:
            return None
        key, item = response
        try:
            loads(bytes_to_str(item))
        except BAD_DATA as exc:
            queue = bytes_to_str(key).removeprefix(self.global_keyprefix).rsplit(self.sep, 1)[0]
            _log_dropped(queue, f"no JSON: {_short(exc)}", item)
            return None
        return key, item


class Transport(stock.Transport):
    """Drops what is not a message, and what the worker fails to process."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str | None) -> None:
        if why := envelope_problem(message):
            _log_dropped(queue, why, message)
            return
        try:
            super()._deliver(message, queue)
        except self.connection_errors:  # the broker's fault: the worker connects again
            raise
        except BAD_DATA as exc:
            logger.debug("message_failed: queue %s", queue, exc_info=True)
            _log_dropped(queue, f"the worker cannot take it: {_short(exc)}", message)
            self._forget(message["properties"]["delivery_tag"])

    def _forget(self, tag: str) -> None:
        """Otherwise it would be delivered again, like the message of a killed worker."""
        for channel in self.channels or ():
            channel.basic_reject(tag, requeue=False)


def envelope_problem(message: Any) -> str:
    """Why kombu cannot process the message; empty: it can."""
    if not isinstance(message, Mapping):
        return f"no message: {type(message).__name__} instead of an object"
    properties = message.get("properties")
    if not isinstance(properties, Mapping):
        return "no message: it has no properties"
    if not isinstance(properties.get("delivery_tag"), str):
        return "no message: it has no delivery_tag"
    if not isinstance(properties.get("delivery_info"), Mapping):
        return "no message: it has no delivery_info"
    if not isinstance(message.get("headers"), Mapping):
        return "no message: it has no headers"
    return ""


def install() -> None:
    """Let addresses that begin with redis:// or rediss:// use this transport."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))


def _log_dropped(queue: str | None, why: str, message: Any) -> None:
    logger.error("message_dropped: queue %s: %s: %s", queue, why, _shown(message))


def _shown(message: Any) -> str:
    text = message if isinstance(message, (str, bytes)) else repr(message)
    cut = repr(text[:SHOWN_CHARS])
    return cut if len(text) <= SHOWN_CHARS else f"{cut} (the first {SHOWN_CHARS} of {len(text):,})"


def _short(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {str(exc)[:SHOWN_CHARS]}"
