"""The broker's transport: signs messages, and drops and counts those that are not ours or that no worker can read.

kombu hands whatever lies in a queue to the worker's loop, which ends at the first surprise: one `LPUSH load '[]'`
would do. A message is a nudge here, so a dropped one costs a few seconds (see `tokenburn_site.config.celeryconf`).
Whoever reaches the broker without knowing SECRET_KEY can at most repeat a nudge.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from django.utils.crypto import constant_time_compare, salted_hmac
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as stock
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)
SHOWN_CHARS: Final = 200
SIGNATURE: Final = "signature"
CHANGED_ON_THE_WAY: Final = {SIGNATURE, "redelivered"}
"""Headers that the signature does not cover."""
LOGGED: Final = 20
LOGGED_IN_S: Final = 60.0
"""At most so many dropped messages are logged in such a time: others can write into the log by way of the broker."""
BAD_DATA: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions of code that meets data of another shape than expected."""


class Channel(stock.Channel):
    """Drops what is not JSON before kombu parses it. Its keys begin with the installation's id."""

    @property
    def global_keyprefix(self) -> str:  # type: ignore[override]  # read when it is needed, not with the settings
        """kombu puts it before all names: queues, bindings, unacknowledged messages and their lock."""
        from runs.broker_keys import broker_key  # not with this module: Django's apps have to be ready first

        return broker_key()

    def _inplace_augment_message(self, message: Any, exchange: Any, routing_key: Any) -> None:
        """kombu's last step before a message is sent, to a queue or to all."""
        super()._inplace_augment_message(message, exchange, routing_key)
        message["headers"][SIGNATURE] = signature(message, self.global_keyprefix)

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
            dropped.note(queue, f"no JSON: {_short(exc)}", item)
            return None
        return key, item


class Transport(stock.Transport):
    """Drops what is not a message of ours, and what the worker fails to process."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str | None) -> None:
        from runs.broker_keys import broker_key

        if why := envelope_problem(message) or signature_problem(message, broker_key()):
            dropped.note(queue, why, message)
            return
        try:
            super()._deliver(message, queue)
        except BAD_DATA as exc:  # also a KeyError, which kombu takes for a lost connection
            logger.debug("message_failed: queue %s", queue, exc_info=True)
            dropped.note(queue, f"the worker cannot take it: {_short(exc)}", message)
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
    told = properties.get("delivery_info")
    if not isinstance(told, Mapping):
        return "no message: it has no delivery_info"
    if not all(isinstance(told.get(name), str) for name in ("exchange", "routing_key")):
        return "no message: its delivery_info names no queue"
    if not isinstance(message.get("headers"), Mapping):
        return "no message: it has no headers"
    if message.get("content-type") != "application/json":
        return "no message: its content is not JSON"
    return ""


def signature(message: Mapping[str, Any], prefix: str) -> str:
    """Of what the message says, for the installation whose names in the broker begin with `prefix`."""
    headers = {name: value for name, value in message["headers"].items() if name not in CHANGED_ON_THE_WAY}
    said = [prefix, message.get("body"), message.get("content-type"), message.get("content-encoding"), headers]
    return salted_hmac("tokenburn_site.broker", dumps(said, sort_keys=True), algorithm="sha256").hexdigest()


def signature_problem(message: Mapping[str, Any], prefix: str) -> str:
    """Why the message counts as forged; empty: it is ours."""
    given = message["headers"].get(SIGNATURE)
    if not isinstance(given, str):
        return "not signed"
    if not constant_time_compare(given, signature(message, prefix)):
        return "signed with another key: TOKENBURN_SECRET_KEY must be the same on all machines"
    return ""


class Dropped:
    """Counts the messages that this process has dropped, and logs them up to a limit."""

    def __init__(self) -> None:
        self.count = 0
        self._since = -LOGGED_IN_S
        self._logged = self._unlogged = 0

    def note(self, queue: str | None, why: str, message: Any) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self._since >= LOGGED_IN_S:
            if self._unlogged:
                logger.error("messages_dropped: %d more in the last minutes", self._unlogged)
            self._since, self._logged, self._unlogged = now, 0, 0
        if self._logged >= LOGGED:
            self._unlogged += 1
            return
        self._logged += 1
        logger.error("message_dropped: queue %s: %s: %s", queue, why, _shown(message))
        if self._logged == LOGGED:
            logger.error("messages_dropped: others within %.0f s are counted, not logged", LOGGED_IN_S)


dropped = Dropped()


def install() -> None:
    """Let addresses that begin with redis:// or rediss:// use this transport."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))


def _shown(message: Any) -> str:
    text = message if isinstance(message, (str, bytes)) else repr(message)
    cut = repr(text[:SHOWN_CHARS])
    return cut if len(text) <= SHOWN_CHARS else f"{cut} (the first {SHOWN_CHARS} of {len(text):,})"


def _short(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {str(exc)[:SHOWN_CHARS]}"
