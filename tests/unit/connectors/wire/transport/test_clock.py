"""The wait for the moment at which a request leaves."""

import time

from connectors.wire.transport.clock import EARLY_NS, not_before


def test_who_is_a_little_early_waits_until_the_moment() -> None:
    for _ in range(20):
        at_ns = time.monotonic_ns() + EARLY_NS // 2
        assert not_before(at_ns) >= at_ns


def test_who_is_late_or_far_too_early_does_not_wait() -> None:
    for away_ns in (-1, -(10**9), 10**12):
        before = time.monotonic_ns()
        now = not_before(before + away_ns)
        assert before <= now <= time.monotonic_ns() < before + 10**9
