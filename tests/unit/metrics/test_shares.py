from __future__ import annotations

import pytest

from metrics.analysis.thresholds import parse_threshold
from metrics.shares import parse_share


@pytest.mark.parametrize(
    ("text", "value"), [("30%", 0.3), ("0.3", 0.3), (" 5 % ", 0.05), (".5%", 0.005), ("1", 1.0), ("-2%", -0.02)]
)
def test_percent_and_number_mean_the_same(text: str, value: float) -> None:
    assert parse_share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "%", "30%%", "a third", "nan", "inf%", "1/3", "%30"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_share(text)


@pytest.mark.parametrize("text", ["7%", "0.07", "12.5%", ".5"])
def test_a_threshold_reads_the_same_number(text: str) -> None:
    assert parse_threshold(f"error_rate<{text}").limit == parse_share(text)
