"""What an error code means to the reader of a report, and what to do. The codes are those of connectors.errors."""

from __future__ import annotations

_BY_CODE = {
    "dns_failed": "the host name was not found: check the address",
    "connect_refused": "nothing listens there: is the target up, is the port right?",
    "connect_unreachable": "no way to the host: check network and firewall",
    "connect_timeout": "no connection in time: the target's accept queue may be full",
    "tls_failed": "no secure connection: check http or https, and the certificate",
    "address_blocked": "this address may not be dialled: see the settings for private addresses",
    "first_byte_timeout": "no answer began in time: the target is overloaded, or the limit too short",
    "idle_timeout": "the answer stopped half-way for too long",
    "total_timeout": "the answer took longer than the limit",
    "connection_reset": "the target cut the connection: look at its log for crashes and limits",
    "connection_closed": "the target closed the connection before it answered",
    "connection_reused_closed": "a kept connection ended as the message was sent: raise the target's keep-alive time",
    "body_truncated": "the answer ended before its announced length",
    "http_malformed": "what came back is not HTTP: check port and protocol",
    "encoding_invalid": "the answer could not be decompressed",
    "utf8_invalid": "the answer is not UTF-8",
    "header_too_large": "more headers than the target's limits allow",
    "body_too_large": "a longer answer than the target's limits allow",
    "event_too_large": "a longer event than the target's limits allow",
    "http_401": "the target wants credentials: check its secrets",
    "http_403": "the target refuses these credentials",
    "http_404": "no such path or model: check address, preset and model",
    "http_429": "the target limits its callers: lower the load, or raise its limit",
    "json_invalid": "the answer is not JSON: check preset and streaming",
    "answer_unmatched": "the answer has no text where the preset looks for it",
    "answer_empty": "the answer has no text: its detail says of what kind it is; see `expect_text` of the target",
    "stream_incomplete": "the stream ended without its end marker",
    "target_error": "the target answered with an error of its own: see the turn's detail",
    "expect_failed": "an answer was not what the scenario expects",
    "request_invalid": "the request could not be built: check parameters and templates",
    "user_left": "the user did not wait for the answer: see `patience` in the load",
    "user_resent": "the user did not wait, and sent the message again",
    "user_doubled": "the message was sent twice, and the other answer came first",
    "stopped": "in flight when the run ended: whether an answer would have come is not known",
    "unanswered": "no answer by the end of the load, and longer than its other answers took: did the target hang?",
    "engine_died": "in flight when an engine died: nobody knows whether it was answered",
}


def advice(code: str) -> str:
    """One short line; empty for a code that says it all."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code.startswith("http_5"):
        return "the target itself failed: look at its log"
    return "the target refused the request" if code.startswith("http_4") else ""
