"""The one rule for the time limits of a turn."""

from __future__ import annotations

import pytest

from connectors.deadlines import next_deadline, timed_out
from connectors.spec import Timeouts

LIMITS = Timeouts(connect=1, first_byte=2, idle=3, total=10)
S = 1_000_000_000


@pytest.mark.parametrize(
    ("began_s", "sent_s", "last_s", "due"),
    [
        (0, 0, None, (2 * S, "first_byte_timeout")),
        (0, 5, None, (7 * S, "first_byte_timeout")),
        (0, 9, None, (10 * S, "total_timeout")),
        (0, 0, 1, (4 * S, "idle_timeout")),
        (0, 0, 8, (10 * S, "total_timeout")),
        (4, 5, 6, (9 * S, "idle_timeout")),
    ],
)
def test_the_earliest_limit_is_next(began_s: int, sent_s: int, last_s: int | None, due: tuple[int, str]) -> None:
    last_ns = None if last_s is None else last_s * S
    assert next_deadline(LIMITS, began_ns=began_s * S, sent_ns=sent_s * S, last_ns=last_ns) == due


def test_what_had_come_is_said() -> None:
    error = timed_out("idle_timeout", LIMITS, 17, "; text came")
    assert (error.code, error.detail) == ("idle_timeout", "3 s passed; 17 bytes had come; text came")
