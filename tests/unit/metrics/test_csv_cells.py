"""No cell of a CSV file is a formula."""

from __future__ import annotations

import pytest

from metrics.csv_cells import escape_csv


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_a_spreadsheet_would_calculate_is_text(start: str) -> None:
    assert escape_csv(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("cell", ["plain", "a=b", "", -5, -0.5, None])
def test_everything_else_stays(cell: object) -> None:
    assert escape_csv(cell) == cell
