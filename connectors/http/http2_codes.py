"""What the error codes of HTTP/2 (RFC 9113, 7) mean for a turn. No I/O; used by both lanes."""

from __future__ import annotations

from typing import Final

from h2.errors import ErrorCodes
from h2.exceptions import NoSuchStreamError, StreamClosedError

from connectors.errors import BrokenTransport, ConnectFailed, TimedOut
from connectors.spec import Timeouts

_ADVICE: Final = {
    "ENHANCE_YOUR_CALM": "the target takes this for an attack: lower http.streams_per_connection or the load, or raise "
    "the limits of the target or the proxy before it",
    "HTTP_1_1_REQUIRED": "the target wants HTTP/1.1 here: remove http.version",
    "INTERNAL_ERROR": "look at the target's log",
}
SETTINGS: Final = "settings"
"""The step of connecting that waits for the target's settings: how many streams it allows."""
NO_HTTP2_ADVICE: Final = "enable HTTP/2 in the target or the proxy before it, or remove http.version"


def error_name(code: int) -> str:
    """Its name as the RFC has it, or the number of one that is not known."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return str(code)


def reset_failure(code: int, bytes_in: int) -> BrokenTransport:
    """The target reset the stream of a turn."""
    name = error_name(code)
    what = f"the target reset the stream after {bytes_in} bytes of answer ({name})"
    return BrokenTransport(_code(name), what, _ADVICE.get(name, ""))


def _code(name: str) -> str:
    """Numbers that the RFC does not know have one code: a target must not fill a report with them."""
    return "http2_unknown" if name.isdigit() else f"http2_{name.lower()}"


def goaway_failure(code: int, said: bytes) -> BrokenTransport:
    """The target ended a connection with an error, before it had answered."""
    name = error_name(code)
    words = f": {said[:80]!r}" if said else ""
    what = f"the target ended the connection before its answer was whole ({name}{words})"
    return BrokenTransport(_code(name), what, _ADVICE.get(name, ""))


def unavailable(what: str) -> ConnectFailed:
    """The target does not speak HTTP/2."""
    return ConnectFailed("http2_unavailable", what, NO_HTTP2_ADVICE)


def stream_wait_s(timeouts: Timeouts) -> float:
    """How long a message waits for a stream."""
    return min(timeouts.connect, timeouts.total)


def no_stream(timeouts: Timeouts, allowed: int) -> TimedOut:
    """The target allows so many streams at a time, and none was free in time."""
    what = f"no stream was free within {stream_wait_s(timeouts):g} s: the target allows {allowed} at a time"
    advice = (
        "lower http.streams_per_connection to that number, or raise it in the target"
        if allowed
        else "look at why the target allows no streams (SETTINGS_MAX_CONCURRENT_STREAMS)"
    )
    return TimedOut("total_timeout" if timeouts.total < timeouts.connect else "connect_timeout", what, advice)


def bad_status(status: bytes) -> BrokenTransport | None:
    """What is wrong with an answer's status: of several, all."""
    if len(status) == 3 and status.isdigit():
        return None
    return BrokenTransport("http_malformed", f"an answer with the status {status[:20]!r}")


def in_words(exc: Exception) -> str:
    """What h2 found, which for streams says their number alone."""
    if isinstance(exc, NoSuchStreamError) and not isinstance(exc, StreamClosedError):
        return f"a frame on stream {exc.stream_id}, which was never opened"
    return str(exc) or type(exc).__name__
