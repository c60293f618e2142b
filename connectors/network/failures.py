"""Maps connection failures to error codes, the same in both lanes."""

from __future__ import annotations

import errno
import ssl
from typing import Literal

from connectors.errors import BrokenTransport, ConnectFailed, TimedOut, TurnError

NO_TLS_ADVICE = "check that the port speaks TLS (https or http?)"
OUR_CERTIFICATE = "give the target tls.cert_file and tls.key_file, a certificate that it accepts (mTLS)"
OF_CERTIFICATES = (
    "CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE", "ACCESS_DENIED",
)  # fmt: skip
TLS_SIGNS = (
    ("CERTIFICATE_REQUIRED", "the target requires a client certificate", OUR_CERTIFICATE),
    *((sign, "the target does not accept the client certificate", OUR_CERTIFICATE) for sign in OF_CERTIFICATES[1:]),
    (
        "HANDSHAKE_FAILURE", "the target refused the handshake",
        "it may require a client certificate (tls.cert_file, tls.key_file), or have no cipher in common",
    ),
    ("NO_APPLICATION_PROTOCOL", "the target speaks only HTTP/2", "set http.version to 2, or enable HTTP/1.1 there"),
    ("UNRECOGNIZED_NAME", "the target does not serve this host name", "check the host name in the URL"),
    *(
        (sign, "the target has no TLS version in common", "enable TLS 1.2 or 1.3 in the target")
        for sign in ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")
    ),
    *(
        (sign, "what came back is not TLS", NO_TLS_ADVICE)
        for sign in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
    ),
)  # fmt: skip
"""For reasons of OpenSSL: a part of the text, its meaning, what to do; the first match counts."""


def connect_failure(exc: OSError) -> ConnectFailed:
    """What an operating system's refusal means; both lanes call it."""
    if exc.errno == errno.ECONNREFUSED:
        return ConnectFailed("connect_refused", "nobody listens there", "start the target, or check host and port")
    if exc.errno == errno.ENOENT:
        advice = "start the target, or check http.unix_socket"
        return ConnectFailed("connect_refused", "there is no such Unix socket", advice)
    if exc.errno == errno.EADDRNOTAVAIL:
        advice = "more TOKENBURN_SOURCE_ADDRESSES, a wider net.ipv4.ip_local_port_range, or more machines"
        return ConnectFailed("local_resources", "this host has no port left for connections to that address", advice)
    if exc.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS}:
        return ConnectFailed("local_resources", str(exc), "raise `ulimit -n`, or use fewer users per machine")
    return ConnectFailed("connect_unreachable", exc.strerror or str(exc), "check the host, the network and firewalls")


def tls_failure(exc: Exception) -> ConnectFailed:
    """What a failed TLS handshake means; both lanes call it."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        advice = "check the host name, or give the target its CA file (tls.ca_file)"
        return ConnectFailed("tls_failed", f"certificate: {exc.verify_message}", advice)
    if isinstance(exc, ssl.SSLError):
        for sign, what, advice in TLS_SIGNS:
            if sign in (exc.reason or ""):
                return ConnectFailed("tls_failed", f"{what} ({(exc.reason or '').lower().replace('_', ' ')})", advice)
    return ConnectFailed("tls_failed", str(exc), NO_TLS_ADVICE)


def stream_failure(exc: OSError, bytes_in: int | None = None, advice: str = "") -> TurnError:
    """The error for a broken open connection, after this many bytes of an answer; for both lanes. A target that
    requires a client certificate reports that after the handshake (TLS 1.3)."""
    cause = exc.__cause__ if isinstance(exc.__cause__, ssl.SSLError) else exc
    if isinstance(cause, ssl.SSLError) and any(sign in (cause.reason or "") for sign in OF_CERTIFICATES):
        return tls_failure(cause)
    after = "" if bytes_in is None else f" after {bytes_in} bytes"
    return BrokenTransport("connection_reset", f"{exc.strerror or exc}{after}", advice)


Stage = Literal["connect", "proxy", "tls", "settings"]


def connect_timeout(host: str, limit_s: float, stage: Stage) -> TimedOut:
    """No connection was established in time; used by both lanes. `stage`: the step that had no answer."""
    if stage == "proxy":
        what = f"the proxy did not connect to {host} within {limit_s:g} s"
        return TimedOut("connect_timeout", what, "check that the proxy reaches the target's host and port")
    if stage == "tls":
        what = f"{host} accepted the connection but did not answer in TLS within {limit_s:g} s"
        return TimedOut("connect_timeout", what, NO_TLS_ADVICE)
    if stage == "settings":
        what = f"{host} accepted the connection but did not begin to speak HTTP/2 within {limit_s:g} s"
        return TimedOut("connect_timeout", what, "check that the port speaks HTTP/2, or remove http.version")
    what = f"no connection to {host} within {limit_s:g} s"
    return TimedOut("connect_timeout", what, "check host and port, the network and firewalls, and the target's load")
