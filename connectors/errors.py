"""The tree of errors that a turn can end with, with stable codes.

    TurnError
    ├── ConnectFailed       dns_failed, connect_refused, connect_unreachable, tls_failed, address_blocked,
    │                       local_resources, proxy_refused, http2_unavailable
    ├── TimedOut            connect_timeout, first_byte_timeout, idle_timeout, total_timeout
    ├── BrokenTransport     connection_reset, connection_closed, connection_reused_closed, body_truncated,
    │                       http_malformed, encoding_invalid, utf8_invalid, upgrade_malformed, ws_protocol,
    │                       ws_closed_<code>, socketio_protocol, socketio_refused, grpc_malformed, grpc_<status>,
    │                       eventstream_malformed
    │                       http2_<error>: a stream was reset, or its connection ended, with this error code
    ├── TooLarge            header_too_large, body_too_large, event_too_large, message_too_large, message_too_deep
    ├── Refused             http_<status>: an answer with a status that is not 2xx
    ├── BadAnswer           json_invalid, xml_invalid, codec_failed, answer_unmatched, answer_empty, stream_incomplete,
    │                       target_error, expect_failed
    ├── BadRequest          request_invalid: the mapping or a template could not be rendered
    │                       secret_withheld: a secret would have gone to an origin that it may not go to
    ├── Aborted             stopped: the run ended before the answer did
    ├── Unanswered          unanswered: the load ended, and the wait was longer than the run's own answers explain
    └── LostPatience        user_left, user_resent, user_hedged: a simulated user did not wait for the answer

A code is part of the product's contract: reports count by it, users search for it. Foreign exceptions are
mapped at the edge (`raise ConnectFailed(...) from exc`) and never reach a report.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Outcome = Literal["ok", "error", "timeout", "aborted", "unknown"]

DETAIL_LIMIT = 300
"""Maximum number of characters of a detail, so that a hostile target cannot fill the ledger."""


class TurnError(Exception):
    """One failed turn: a stable `code`, what happened (`detail`) and, if known, what to do (`advice`)."""

    outcome: ClassVar[Outcome] = "error"

    def __init__(self, code: str, detail: str = "", advice: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail[:DETAIL_LIMIT]
        self.advice = advice

    @property
    def told(self) -> str:
        """What happened and what to do, as far as it is known."""
        return "; ".join(part for part in (self.detail, self.advice) if part)


class ConnectFailed(TurnError):
    """No connection: nothing of the request was sent."""


class TimedOut(TurnError):
    """A deadline of the target's `timeouts` passed."""

    outcome = "timeout"


class BrokenTransport(TurnError):
    """The received bytes violate the protocol, or end too early."""


class ReusedClosed(BrokenTransport):
    """A kept connection ended at the moment of sending, before any byte of the answer: it is unknown whether the target
    received the request."""

    def __init__(self, how: str) -> None:
        super().__init__(
            "connection_reused_closed",
            f"a kept connection, used for an earlier message, was {how} as this one was sent: it may or may not have "
            "been received",
            "the target closes idle connections: raise its keep-alive time, or set request.idempotent if a message may "
            "be sent twice",
        )


class ClosedUnsent(BrokenTransport):
    """The connection ended before any byte of the request was written: it may be sent on another one."""

    def __init__(self) -> None:
        super().__init__("connection_closed", "the target closed before the request was sent")


class NotProcessed(BrokenTransport):
    """The target said that it has not processed the request, and will not: it may be sent again."""

    def __init__(self, detail: str) -> None:
        super().__init__("http2_refused_stream", detail, "the target takes no more streams: lower the load")


class TooLarge(TurnError):
    """The target sent more than the target's `limits` allow; reading stopped there."""


class Refused(TurnError):
    """A whole answer with a status that is not 2xx."""

    def __init__(self, status: int, detail: str = "", advice: str = "") -> None:
        super().__init__(f"http_{status}", detail, advice)
        self.status = status


class BadAnswer(TurnError):
    """The transport worked, but the answer is not what the mapping or scenario expects."""


class BadRequest(TurnError):
    """Our own side could not make the request. Nothing was sent."""


class Aborted(TurnError):
    """The run stopped while the turn was in flight."""

    outcome = "aborted"

    def __init__(self, detail: str = "the run ended before the answer did") -> None:
        super().__init__("stopped", detail)


class Unanswered(TurnError):
    """The load ended, and this turn had waited longer than the run's own answers explain."""

    outcome = "timeout"

    def __init__(self, waited_s: float, longest_s: float, *, silent_s: float | None = None) -> None:
        """`silent_s`: time since its last text; None: there was none."""
        known = f"the run's own answers took at most {longest_s:.1f} s" if longest_s else "the run had no whole answer"
        text = ""
        if silent_s is not None:
            text = f"its last text came {silent_s:.1f} s before and its end never: is `done` how an answer ends? "
        super().__init__("unanswered", f"{waited_s:.1f} s without a whole answer when the load ended; {text}{known}")


USER_LEFT = "user_left"
PATIENCE_CODES = {
    USER_LEFT: "the user left before the answer came",
    "user_resent": "the user sent the message again before the answer came",
    "user_hedged": "another answer to the same message came first",
}
"""What becomes of an answer that its user did not wait for. Its tokens are wasted."""


class LostPatience(TurnError):
    """A simulated user did not wait for the answer; `code` is one of PATIENCE_CODES."""

    outcome = "aborted"

    def __init__(self, code: str) -> None:
        super().__init__(code, PATIENCE_CODES[code])
