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
from connectors.spec import SpecError, TargetSpec, build_target_spec
from connectors.timeline import Timeline

URL_CHARS: Final = 2000
OVERRIDES: Final = {
    "timeouts": {"connect": 5, "first_byte": 10, "idle": 5, "total": 10},
    "limits": {"header_bytes": 32 * 1024, "body_bytes": 64 * 1024},
}
ERROR_CHARS: Final = 300


class Posted(NamedTuple):
    """`status` is 0 if no answer came; `error` is empty if the message was taken."""

    status: int
    error: str


class _Answer(Timeline):
    """Any 2xx will do: what is in it is not read."""

    def answer(self, ns: int, data: bytes) -> None:
        self.done_ns = ns


def check_address(url: str) -> str:
    """The address's host and port, which may be shown. Raises ValueError, whose text does not hold the address."""
    try:
        parts = urlsplit(_spec(url).url)
    except (SpecError, ValueError) as exc:
        raise ValueError(
            "give an address such as https://host/path, without a user or password in it, "
            f"of at most {URL_CHARS} characters"
        ) from exc
    return parts.netloc


def post(
    url: str, body: bytes, headers: dict[str, str], *, allow_private: AllowPrivate, secrets: tuple[str, ...] = ()
) -> Posted:
    """Post `body` within seconds. Never raises for what the other side does; `error` holds none of `secrets`."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    redact = Redactor([url, path, *secrets])
    target = CompiledTarget(_spec(url))
    timeline = _Answer(target.meaning, time.monotonic_ns())
    connector = HttpConnector(target, allow_private=allow_private)
    pairs = (("Content-Type", "application/json"), *headers.items())
    request = target.render_connection({})._replace(method="POST", path=path, headers=pairs, body=body)
    error = ""
    try:
        connector.connect()
        connector.send_message(request, timeline)
    except TurnError as exc:
        error = redact.error(": ".join(filter(None, [str(exc), exc.advice])))[:ERROR_CHARS]
    finally:
        connector.disconnect()
    taken = 200 <= timeline.status < 300  # then it was taken, whatever became of the answer's body
    return Posted(timeline.status, "" if taken else error or f"http_{timeline.status}")


def _spec(url: str) -> TargetSpec:
    """Raises SpecError, ValueError."""
    if urlsplit(url).scheme not in {"http", "https"} or len(url) > URL_CHARS or not url.isascii():
        raise ValueError("no address")
    return build_target_spec(name="webhook", url=url, preset="generic-json", overrides=OVERRIDES)
