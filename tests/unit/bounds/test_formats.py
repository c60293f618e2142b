"""A format is judged by the longest text that its values can become."""

from __future__ import annotations

import pytest

from bounds.formats import check_braces, check_percent
from bounds.templates import INT_BITS, LimitError, size_of

LARGE = 2 ** (INT_BITS - 1)
FIELDS = ["{}", "{:b}", "{:_b}", "{:#_b}", "{:_o}", "{:,}", "{:x}"]


WHOLE = {"large": LARGE, "negative": -LARGE, "smaller": LARGE - 1, "small": 7, "true": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(pytest.param(field, value, id=f"{field}-{name}") for field in FIELDS for name, value in WHOLE.items()),
        *(pytest.param(field, -1e308, id=f"{field}-float") for field in ("{}", "{:,}")),
    ],
)
def test_no_number_becomes_longer_than_was_foreseen(field: str, value: float) -> None:
    made = (field * 100).format(*[value] * 100)
    with pytest.raises(LimitError, match="the text would have more than"):
        check_braces(field * 100, [value], len(made) - 1)


def test_small_numbers_leave_room_for_many() -> None:
    check_braces("{}" * 2000, [1, 2.5, True], 1_000_000)
    check_percent("%d" * 2000, [1, 2.5, True], 1_000_000)
    with pytest.raises(LimitError, match="the text would have more than"):
        check_percent("%d" * 2000, [LARGE], 1_000_000)


def test_large_numbers_count_by_their_digits() -> None:
    assert size_of([1, 2**63, -(2**63)]) == 6
    assert len(str(LARGE)) <= size_of(LARGE) <= 1.2 * len(str(LARGE))
    with pytest.raises(LimitError, match="a value of more than"):
        size_of([LARGE] * 1000)
