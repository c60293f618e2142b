"""Numbers and words as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from runs.display import load_text, seconds_text
from runs.report_page import number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0"),
        (0.0, "0"),
        (0.0154, "0.015"),
        (1.234, "1.23"),
        (158.44, "158.4"),
        (1983.7, "1,984"),
        (1234567, "1,234,567"),
        ("kernel", "kernel"),
        (True, "True"),
    ],
)
def test_a_number_has_no_more_digits_than_a_person_reads(value: Any, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599.6, "1 h 00 min"), (7322, "2 h 02 min")]
)
def test_a_duration_is_words(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("load", "text"),
    [
        ({"kind": "closed", "users": 50, "duration_s": 30.0, "conversations": None}, "50 users, 30 s"),
        (
            {"kind": "open", "rate_per_s": 2.5, "arrivals": "poisson", "conversations": 9},
            "2.5/s poisson, 9 conversations",
        ),
        ("nonsense", ""),
    ],
)
def test_a_load_is_words(load: Any, text: str) -> None:
    assert load_text(load) == text
