"""One message to one address, by the reference lane: judged addresses, deadlines over all reads, no redirect."""

from __future__ import annotations

import time
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from connectors.errors import TurnError
from connectors.guard import AllowPrivate
from connectors.mapping import CompiledTarget
from connectors.redact import Redactor
from connectors.reference.http import HttpConnector
from connectors.timeline import Timeline
from runs.webhook_secrets import address_spec

ERROR_CHARS: Final = 300


class Posted(NamedTuple):
    """`status` is 0 if no answer came; `error` is empty if the message was taken."""

    status: int
    error: str


class _Answer(Timeline):
    """Any 2xx will do: what is in it is not read."""

    def answer(self, ns: int, data: bytes) -> None:
        self.done_ns = ns


def post(
    url: str, body: bytes, headers: dict[str, str], *, allow_private: AllowPrivate, secrets: tuple[str, ...] = ()
) -> Posted:
    """Post `body` within seconds. Never raises for what the other side does; `error` holds none of `secrets`."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    redact = Redactor([url, path, *secrets])
    target = CompiledTarget(address_spec(url))
    timeline = _Answer(target.meaning, time.monotonic_ns())
    connector = HttpConnector(target, allow_private=allow_private)
    pairs = (("Content-Type", "application/json"), *headers.items())
    request = target.render_connection({})._replace(method="POST", path=path, headers=pairs, body=body)
    error = ""
    try:
        connector.connect()
        connector.send_message(request, timeline)
    except TurnError as exc:
        advice = f": {exc.advice}" if exc.code == "address_blocked" else ""  # the others speak of chatbots
        error = redact.error(f"{exc}{advice}")[:ERROR_CHARS]
    finally:
        connector.disconnect()
    taken = 200 <= timeline.status < 300  # then it was taken, whatever became of the answer's body
    return Posted(timeline.status, "" if taken else error or f"http_{timeline.status}")
