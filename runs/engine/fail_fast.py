"""Ends a run early if the target refuses everything."""

from __future__ import annotations

from collections import Counter
from typing import Final

from connectors.errors import TurnError

FAILURES: Final = 20
"""Number of failed turns that end the run if no turn succeeded before."""
FAIL_FAST_CODES: Final = frozenset(
    {
        "connect_refused",
        "connect_unreachable",
        "dns_failed",
        "tls_failed",
        "address_blocked",
        "local_resources",
        "http2_unavailable",
        "request_invalid",
        "secret_withheld",
        "http_401",
        "http_403",
        "http_404",
        "grpc_unimplemented",
        "grpc_unauthenticated",
        "grpc_permission_denied",
    }
)
"""Failures that the next turn would have too."""


class FailFast:
    """Counts the failures of one engine that further turns cannot fix."""

    def __init__(self) -> None:
        self._failures: Counter[str] = Counter()

    def reason(self, failure: TurnError) -> str:
        """Count `failure` of a run without a good turn so far. Returns why the run must end, or ""."""
        if failure.code not in FAIL_FAST_CODES:
            return ""
        self._failures[failure.code] += 1
        if self._failures.total() < FAILURES:
            return ""
        return "aborted: " + ": ".join(part for part in (failure.code, failure.detail, failure.advice) if part)
