from __future__ import annotations

from typing import Any

import pytest

from tests.bench.idle import LOOK_S, Idle, idle


def gen(at_s: int, active: int = 5, inflight: int = 0) -> dict[str, Any]:
    return {"k": "gen", "at": at_s * 10**9, "cpu_ns": at_s * 10**7, "rss": 1000 + at_s, "active": active} | {
        "inflight": inflight
    }


def test_only_time_with_all_users_and_no_messages_counts() -> None:
    lines: list[dict[str, Any]] = [
        {"k": "head"},
        gen(1, active=3),
        gen(2, inflight=1),
        *(gen(at) for at in range(3, 3 + LOOK_S)),
    ]
    found = idle(5, lines)
    assert found == Idle(5, 1000 + 2 + LOOK_S, found.cpu_share)
    assert found.cpu_share == pytest.approx(0.01)


def test_users_who_never_all_wait_are_no_measurement() -> None:
    with pytest.raises(AssertionError, match="never all waiting"):
        idle(5, [gen(1, inflight=1)] * 20)
