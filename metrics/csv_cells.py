"""Escapes CSV cells for spreadsheets."""

from __future__ import annotations

from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def escape_csv(cell: Any) -> Any:
    """Prefixes a cell that a spreadsheet would take for a formula, so that it is taken for text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
