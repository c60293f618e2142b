"""The demo's comparison finds a difference where there is one."""

from __future__ import annotations

from typing import Any

from tokenburn_site.demo import compare

COUNTED = {"chat_requests": 100, "answers": 95, "errors": 5, "output_tokens": 9000}


def report(**turns: int) -> dict[str, Any]:
    return {"turns": {"sent": 100, "ok": 95, "error": 5} | turns, "tokens": {"output": 9000}, "witness": None}


def test_equal_counts_agree() -> None:
    assert [(row.what, row.ours, row.mocks) for row in compare(report(), COUNTED)] == [
        ("requests", 100, 100),
        ("answered", 95, 95),
        ("answered with an error", 5, 5),
        ("output tokens", 9000, 9000),
    ]


def test_the_witness_counts_too() -> None:
    witness = {"turns": {"sent": 10, "ok": 9, "error": 1}, "tokens": {"output": 500}}
    ours = {"turns": {"sent": 90, "ok": 86, "error": 4}, "tokens": {"output": 8500}, "witness": witness}
    assert [row.ours for row in compare(ours, COUNTED)] == [100, 95, 5, 9000]


def test_a_request_that_only_the_mock_saw_is_found() -> None:
    differing = [row.what for row in compare(report(sent=99), COUNTED) if row.ours != row.mocks]
    assert differing == ["requests"]
