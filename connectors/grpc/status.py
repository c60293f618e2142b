"""Interprets the end of a gRPC call. The library invents statuses when a connection breaks; only their text
distinguishes them from the target's."""

from __future__ import annotations

import re
from typing import Final

from connectors.errors import (
    BadAnswer,
    BadRequest,
    BrokenTransport,
    ConnectFailed,
    Refused,
    TimedOut,
    TooLarge,
    TurnError,
)
from connectors.spec import TargetSpec

_LOCAL: Final = "Stream removed ("
_HTTP_STATUS: Final = re.compile(r"Received http2 header with status: (\d{3})\Z")
_MALFORMED: Final = ("Failed parsing HTTP/2", "Error parsing", "END_STREAM flag", "Compression bit set", "rame size")

_ADVICE: Final = {
    "UNIMPLEMENTED": "check grpc.method, and that the port is the service's own",
    "RESOURCE_EXHAUSTED": "the target limits the rate or the size: lower the load or ask for a higher limit",
    "INVALID_ARGUMENT": "compare the target's request mapping with what the method expects",
    "UNAVAILABLE": "the target, or a proxy before it, accepts no requests now",
}
_CREDENTIALS: Final = {
    "UNAUTHENTICATED": (
        401,
        "the target requires credentials: set its secret, and send it in request.headers (metadata)",
    ),
    "PERMISSION_DENIED": (403, "the credentials do not permit this: check the secret and its permissions"),
}


class GrpcRefused(Refused):
    """A status of the target's that a renewed handshake may cure, as HTTP's 401 does."""

    def __init__(self, name: str, status: int, detail: str, advice: str) -> None:
        super().__init__(status, detail, advice)
        self.code = f"grpc_{name.lower()}"


def call_failure(name: str, details: str, spec: TargetSpec, *, due: bool = False) -> TurnError:
    """The error of a call that ended with the status `name` (UNAVAILABLE, ...) and the text `details`. `due`: our
    deadline has passed; the target knows the deadline too, and may report it first."""
    if due and name == "DEADLINE_EXCEEDED":
        return _out_of_time(spec)
    if details.startswith(_LOCAL):
        return _local(name, details[len(_LOCAL) :].removesuffix(")"), spec)
    if name == "UNKNOWN" and details == "No status received":
        return BrokenTransport("grpc_malformed", "the answer ended without grpc-status")
    if name == "INTERNAL" and details.startswith("Compression bit set but"):
        return BrokenTransport("grpc_malformed", details)
    if match := _HTTP_STATUS.match(details):
        advice = "something that speaks HTTP/2 but not gRPC answered: check host and port"
        return Refused(int(match[1]), "an HTTP status instead of a gRPC answer", advice)
    if credentials := _CREDENTIALS.get(name):
        return GrpcRefused(name, credentials[0], details, credentials[1])
    return BrokenTransport(f"grpc_{name.lower()}", details, _ADVICE.get(name, ""))


def _local(name: str, what: str, spec: TargetSpec) -> TurnError:
    limits = spec.limits
    if "Received message larger than max" in what:
        return TooLarge("message_too_large", f"one message is larger than {limits.event_bytes} bytes")
    if "metadata size exceeds" in what:
        return TooLarge("header_too_large", f"the metadata are larger than {limits.header_bytes} bytes")
    if what.startswith("Compression algorithm"):
        advice = "turn compression off there: the request does not accept it"
        return BrokenTransport(
            "encoding_invalid", "the target sent a compressed message, which was not requested", advice
        )
    if "Connection reset" in what or "Broken pipe" in what:
        return BrokenTransport("connection_reset", what)
    if "Deadline Exceeded" in what:
        return _out_of_time(spec)
    if any(sign in what for sign in _MALFORMED):
        return BrokenTransport("grpc_malformed", what)
    if "GOAWAY" in what or "closed" in what:
        return BrokenTransport("connection_closed", what)
    return BrokenTransport(f"grpc_{name.lower()}", what, _ADVICE.get(name, ""))


def _out_of_time(spec: TargetSpec) -> TimedOut:
    return TimedOut("total_timeout", f"{spec.timeouts.total:g} s passed")


def connect_failure(details: str) -> TurnError:
    """Why no connection was made; `details` are those of a call on its channel, of which nothing was sent."""
    what = details.rpartition("last error: ")[2]
    if "Connection refused" in what:
        return ConnectFailed("connect_refused", "nobody listens there", "start the target, or check host and port")
    if any(sign in what for sign in ("Too many open files", "Cannot assign requested address", "No buffer space")):
        return ConnectFailed("local_resources", what, "raise `ulimit -n`, or use fewer users per machine")
    if any(sign in what for sign in ("ALERT_HANDSHAKE_FAILURE", "CERTIFICATE_REQUIRED", "Unwrap failed")):
        advice = "it may require a client certificate (tls.cert_file, tls.key_file); else check its TLS version"
        return ConnectFailed("tls_failed", f"the target refused the handshake: {what}", advice)
    if any(sign in what for sign in ("Ssl handshake", "SSL", "Peer name", "Cannot check peer", "TSI_", "Hostname")):
        advice = "check the host name, or give the target its CA file (tls.ca_file); does the port speak TLS?"
        return ConnectFailed("tls_failed", what, advice)
    if "Failed parsing HTTP/2" in what or "http1.x" in what:
        advice = "check that the port speaks gRPC, without TLS if the URL begins with grpc://"
        return BrokenTransport("grpc_malformed", what, advice)
    if "Socket closed" in what or "closed" in what:
        return BrokenTransport("connection_closed", "the target closed before it sent anything", "does it speak TLS?")
    if "Connection reset" in what:
        return BrokenTransport("connection_reset", what)
    return ConnectFailed("connect_unreachable", what, "check the host, the network and firewalls")


def keeps_connection(failure: TurnError) -> bool:
    """Whether the connection can be used after a failed turn: the target's answer was complete."""
    return failure.outcome == "error" and (
        isinstance(failure, (Refused, BadAnswer))
        or (failure.code.startswith("grpc_") and failure.code != "grpc_malformed")
    )


def lost_between_turns(failure: TurnError | None) -> TurnError:
    """The target ended a stream between two turns."""
    what = "the target ended the stream" if failure is None else failure.detail or failure.code
    advice = 'if the target goes on with a session over a new stream, set grpc.reconnect to "resume"'
    return BrokenTransport("connection_closed", f"between two turns: {what}", advice)


def ended_in_a_turn() -> TurnError:
    return BrokenTransport("connection_closed", "the target ended the stream in the middle of a turn")


def wrong_count(messages: int) -> TurnError:
    """A unary method answered with no message, or with more than one."""
    return BrokenTransport("grpc_malformed", f"{messages or 'no'} message{'s'[: messages > 1]} where one was due")


def check_lasting(spec: TargetSpec, *, persistent: bool) -> None:
    """Check that the mapping's options for lasting connections apply to the method. Raises BadRequest."""
    told = {"greeting": spec.greeting, "reply_to": spec.reply_to, "response.quiet_ms": spec.response.quiet_ms}
    if not persistent and (names := [name for name, value in told.items() if value is not None]):
        what = f"{names[0]} has no effect: {spec.grpc.method} answers each call by itself"
        raise BadRequest("request_invalid", what, f"remove {names[0]}: it is for bidirectional methods")
