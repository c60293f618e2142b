"""What a template may make is refused in our words."""

from __future__ import annotations

import pytest

from bounds.templates import MAX_RANGE, LimitError, bounded_range


def test_a_range_has_a_limit() -> None:
    assert bounded_range(3) == range(3)
    assert bounded_range(5, 1, -2) == range(5, 1, -2)
    assert len(bounded_range(MAX_RANGE)) == MAX_RANGE
    for given in ((MAX_RANGE + 1,), (10**30,), (10**30, 0, -1)):
        with pytest.raises(LimitError, match="`range` would give more than 100,000 numbers"):
            bounded_range(*given)
