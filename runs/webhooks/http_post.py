"""Sends one message by the reference lane: checked addresses, deadlines over all reads, no redirects."""

from __future__ import annotations

import time
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from connectors.errors import TurnError
from connectors.reference.http_connectors import HttpConnector
from connectors.security.guard import NEVER_ADVICE, AllowPrivate
from connectors.security.redact import Redactor
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from runs.webhooks.secrets import RECEIVER_ADVICE, address_spec

ERROR_CHARS: Final = 300


class Posted(NamedTuple):
    """`status` is 0 if no answer came; `error` is empty if the message was accepted. `refused`: our own guard does not
    allow the address, so that trying again is of no use."""

    status: int
    error: str
    refused: bool = False


class _Answer(Timeline):
    """Any 2xx status is success: the body is not read."""

    def answer(self, ns: int, data: bytes) -> None:
        self.done_ns = ns


def post(
    url: str, body: bytes, headers: dict[str, str], *, allow_private: AllowPrivate, secrets: tuple[str, ...] = ()
) -> Posted:
    """Post `body` within seconds. Never raises for failures of the other side; `error` contains none of `secrets`."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    redact = Redactor([url, path, *secrets])
    target = CompiledTarget(address_spec(url))
    timeline = _Answer(target.response, time.monotonic_ns())
    connector = HttpConnector(target, allow_private=allow_private)
    pairs = (("Content-Type", "application/json"), *headers.items())
    request = target.render_connection({})._replace(method="POST", path=path, headers=pairs, body=body)
    error, refused = "", False
    try:
        connector.connect()
        connector.send_message(request, timeline)
    except TurnError as exc:
        refused = exc.code == "address_blocked"
        advice = f": {_advice(exc)}" if refused else ""  # other advice is about chatbots
        error = redact.error(f"{exc}{advice}")[:ERROR_CHARS]
    finally:
        connector.disconnect()
    taken = 200 <= timeline.status < 300  # then it was accepted, whatever happened to the answer's body
    return Posted(timeline.status, "" if taken else error or f"http_{timeline.status}", refused)


def _advice(exc: TurnError) -> str:
    return RECEIVER_ADVICE if exc.advice == NEVER_ADVICE else exc.advice
