from __future__ import annotations

from datetime import UTC, datetime

import pytest

from metrics import number_format
from metrics.number_format import counted, duration, moment, numbers
from tests.support.data.figures import FIGURES


@pytest.mark.parametrize(("name", "value", "text"), FIGURES)
def test_a_figure_has_the_digits_that_a_person_reads(name: str, value: float | None, text: str) -> None:
    assert getattr(number_format, name)(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([9.53, 158.4, 84, None, 1984], ["9.53", "158.40", "84.00", "-", "1,984.00"]),
        ([158.42, 1984.3, 120], ["158.4", "1,984.3", "120.0"]),
        ([84, 1984.0, 2**60 + 1], ["84", "1,984", "1,152,921,504,606,846,977"]),
        ([None, None], ["-", "-"]),
        ([], []),
    ],
)
def test_a_column_has_the_decimals_that_one_of_its_values_needs(values: list[float | None], texts: list[str]) -> None:
    assert numbers(values) == texts


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("turn",), "0 turns"),
        (1, ("turn",), "1 turn"),
        (2000, ("turn",), "2,000 turns"),
        (1, ("answer was", "answers were"), "1 answer was"),
        (2, ("answer was", "answers were"), "2 answers were"),
    ],
)
def test_one_has_no_plural(count: int, words: tuple[str, ...], text: str) -> None:
    assert counted(count, *words) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (5e-10, "0.5 ns"),
        (5e-7, "500 ns"),
        (9.996e-4, "1,000 us"),
        (0.0022, "2.2 ms"),
        (0.338, "338 ms"),
        (0.96, "1 s"),
        (4.4, "4.4 s"),
        (30.0, "30 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (119, "1 min 59 s"),
        (1800, "30 min"),
        (3599.6, "1 h"),
        (7322, "2 h 2 min"),
        (172_799, "47 h 59 min"),
        (176_400, "2 days 1 h"),
        (5_270_400, "61 days"),
    ],
)
def test_a_duration_is_in_the_units_that_suit_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_moment_has_its_zone_and_may_have_its_weekday() -> None:
    found = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)
    assert moment(found) == "2026-11-21 08:00:00 UTC"
    assert moment(found, weekday=True) == "Sat 2026-11-21 08:00:00 UTC"
    assert moment(None) == ""
