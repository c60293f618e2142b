"""What each error code means and what to do. The codes are those of connectors.errors.

A line must be true of every case that has the code: what is known of one case alone stands in that turn's detail, and
in the error's own advice. tests/integration/connectors/test_advice.py has a case for each code.
"""

from __future__ import annotations

from typing import NamedTuple

from metrics.earlier_names import present_code
from metrics.report_schema import RunReport


class ErrorRow(NamedTuple):
    code: str
    turns: int
    sessions: int


_BY_CODE = {
    "dns_failed": "the host name was not found: check the address, and the resolver of this machine",
    "connect_refused": "nothing listens there: check that the target is running and the port is right",
    "connect_unreachable": "the host is not reachable: check network and firewall",
    "connect_timeout": "not connected in time: the detail says which step had no answer (TCP, TLS, upgrade, stream)",
    "tls_failed": "no secure connection: the detail says whether it is the protocol, the certificate or one of ours",
    "address_blocked": "point the target at another address: the detail says which one is refused, and why",
    "local_resources": "this machine has no more ports or files: raise its limits, or use more machines",
    "proxy_refused": "the proxy did not connect to the target: the detail has its answer",
    "first_byte_timeout": "no answer began in time: the target is overloaded or waits, or the limit is short",
    "idle_timeout": "the answer stopped half-way for too long, or had no end mark that the mapping knows",
    "total_timeout": "the answer took longer than the limit",
    "connection_reset": "the target, or something on the way to it, cut the connection: look at its log and limits",
    "connection_closed": "the connection was closed before the answer was complete: the detail says when",
    "connection_reused_closed": "a kept connection ended as the message was sent: raise the target's keep-alive time",
    "body_truncated": "the connection ended before the answer did",
    "http_malformed": "what came back is not proper HTTP: check port and protocol, and http.version",
    "http2_unavailable": "the target does not speak HTTP/2 there: enable it, or remove http.version",
    "http2_refused_stream": "the target takes no more streams, or is going away: lower the load, or look at its log",
    "upgrade_malformed": "what came back is not the answer to a WebSocket upgrade: check port and path",
    "ws_protocol": "the target broke the rules of WebSocket: the detail says which",
    "socketio_protocol": "what came back is not Socket.IO v2, v3 or v4: check the target's version",
    "socketio_refused": "the target refused the namespace: check it, and what it wants as `auth`",
    "eventstream_malformed": "what came back is no Amazon event stream: check protocol and address",
    "grpc_malformed": "what came back is not gRPC, or not of the method's types: check port and .proto",
    "grpc_unauthenticated": "the target requires credentials: check its secrets",
    "grpc_permission_denied": "these credentials are not permitted to do this",
    "grpc_unimplemented": "the target has no such method: check grpc.method and the port",
    "grpc_resource_exhausted": "the target limits rate or size: lower the load, or raise its limit",
    "grpc_unavailable": "the target, or a proxy before it, accepts no requests now",
    "grpc_invalid_argument": "the target does not accept the request: compare the mapping with the method's type",
    "grpc_deadline_exceeded": "the target gave up after its own time limit",
    "grpc_cancelled": "the target, or a proxy before it, cancelled the call",
    "encoding_invalid": "the answer could not be decompressed",
    "utf8_invalid": "the answer is neither UTF-8 nor in the declared encoding",
    "header_too_large": "more headers than the target's limits allow",
    "body_too_large": "a longer answer than the target's limits allow",
    "event_too_large": "a longer event than the target's limits allow",
    "message_too_large": "a longer message than the target's limits allow",
    "message_too_deep": "an answer whose JSON is nested too deeply",
    "http_400": "the target does not accept the request: check preset, model and parameters",
    "http_401": "the target requires credentials: check its secrets",
    "http_402": "the target requires payment: check the account's credit",
    "http_403": "these credentials are not permitted to do this",
    "http_404": "no such path or model: check address, preset and model",
    "http_405": "the address does not accept this method: check path and method",
    "http_407": "the proxy wants credentials",
    "http_408": "the target gave up waiting for the request",
    "http_413": "the request is larger than the target allows",
    "http_415": "the target does not accept this content type",
    "http_422": "the target does not accept the request's form: check preset and parameters",
    "http_426": "the target wants another protocol at this address, such as WebSocket or HTTP/2",
    "http_429": "the target limits the request rate: lower the load, or raise its limit (its Retry-After is not read)",
    "http_500": "the target failed: look at its log",
    "http_501": "the target does not know this kind of request: check path and method",
    "http_502": "a gateway got no valid answer from the server behind it: look at both logs",
    "http_503": "the target accepts no more requests: it is overloaded, or not ready",
    "http_504": "a gateway waited too long for the server behind it: look at its time limit, and the target's speed",
    "http_505": "the target does not support this version of HTTP: see http.version",
    "http_529": "the target is overloaded",
    "json_invalid": "the answer is not JSON: check preset and streaming; a web page is often a login",
    "xml_invalid": "the answer is not XML: check the address, and `response.format` of the target",
    "codec_failed": "the codecs could not decode the answer: check their keys and order",
    "answer_unmatched": "the answer has no text where the mapping looks for it: compare it with what `probe` shows",
    "answer_empty": "the answer has no text: the detail names its kind; see `expect_text` of the target",
    "stream_incomplete": "the stream ended without its end mark: it was cut off, or `done` is not how it ends",
    "target_error": "the target answered with an error: see the turn's detail",
    "expect_failed": "an answer was not what the scenario, or `expect_text`, expects",
    "request_invalid": "the request could not be built: check parameters, templates and secrets",
    "secret_withheld": "a secret may not go to the origin in the detail: allow it, or mend the target's addresses",
    "user_left": "the user gave up waiting for the answer: see `patience` in the load",
    "user_resent": "the user stopped waiting and sent the message again",
    "user_hedged": "the message was sent twice, and the other answer came first",
    "stopped": "in flight when the run ended: it is unknown whether an answer would have come",
    "unanswered": "no answer by the end of the load, after a longer wait than for other answers: did the target hang?",
    "engine_died": "in flight when an engine died: it is unknown whether it was answered",
}
_BY_BEGINNING = (
    ("http2_", "the target reset the stream, or ended its connection, with this error code of HTTP/2"),
    ("http_2", "the address answers, but not as expected: check path and preset"),
    ("http_3", "the target redirects: give its final address (or set `follow_redirects`, for HTTP)"),
    ("http_4", "the target refused the request"),
    ("http_5", "the target, or a gateway before it, failed: look at their logs"),
    ("ws_closed_1008", "the target closed the connection by its own policy: check credentials and what was sent"),
    ("ws_closed_1009", "the message is larger than the target allows"),
    ("ws_closed_1011", "the target failed: look at its log"),
    ("ws_closed_1012", "the target restarts"),
    ("ws_closed_1013", "the target is overloaded"),
    ("ws_closed_4", "the target closed the connection with a code of its own: see its documents"),
    ("ws_closed_", "the target closed the connection properly before the answer was complete"),
    ("grpc_", "the call ended with a status other than OK: see the detail"),
)


def advice(code: str) -> str:
    """One short line; empty for an unknown code."""
    code = present_code(code)
    if code in _BY_CODE:
        return _BY_CODE[code]
    return next((text for begin, text in _BY_BEGINNING if code.startswith(begin)), "")


def error_rows(report: RunReport) -> list[ErrorRow]:
    """The codes of turns that are not ok, then those that only sessions have, the most frequent first. Reports of
    earlier versions have no codes of sessions."""
    turns, sessions = report.get("errors", {}), report.get("session_errors", {})
    rows = [ErrorRow(code, turns.get(code, 0), sessions.get(code, 0)) for code in turns | sessions]
    return sorted(rows, key=lambda row: (-row.turns, -row.sessions, row.code))
