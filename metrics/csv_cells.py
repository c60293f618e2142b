"""Escapes CSV cells for spreadsheets."""

from __future__ import annotations

from typing import Any

FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The last four are full-width forms, which some spreadsheets read as the others."""


def escape_csv(cell: Any) -> Any:
    """Prefixes a cell that a spreadsheet would take for a formula, so that it is taken for text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
