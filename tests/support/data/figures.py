"""Figures and how people read them: the cases that Python's formatter and the pages' own are held to."""

from __future__ import annotations

from typing import Final

FIGURES: Final[tuple[tuple[str, float | None, str], ...]] = (
    ("number", None, "-"),
    ("number", 0, "0"),
    ("number", 0.0, "0"),
    ("number", -3, "-3"),
    ("number", 90.0, "90"),
    ("number", 1_234_567, "1,234,567"),
    ("number", 0.00312, "0.0031"),
    ("number", 0.0154, "0.015"),
    ("number", 0.0625, "0.062"),  # exactly between two: to the even digit
    ("number", 0.1875, "0.188"),
    ("number", 1.234, "1.23"),
    ("number", 1.125, "1.12"),
    ("number", 1.005, "1.00"),
    ("number", 99.987, "99.99"),
    ("number", 158.44, "158.4"),
    ("number", 250.25, "250.2"),
    ("number", 1234.5, "1,234"),
    ("number", 1235.5, "1,236"),
    ("number", 1983.7, "1,984"),
    ("number", -1983.7, "-1,984"),
    ("exact", 0, "0"),
    ("exact", 0.30000000000000004, "0.3"),
    ("exact", 2.5, "2.5"),
    ("exact", 0.02439024, "0.0243902"),
    ("exact", 1944.41234, "1,944.41"),
    ("exact", 1_000_000, "1,000,000"),
    ("exact", 1_234_567, "1,234,567"),
    ("exact", 1_234_567.8, "1,234,568"),
    ("exact", 100_000.5, "100,000"),
    ("share", None, "-"),
    ("share", 0, "0.00%"),
    ("share", 0.0243902, "2.44%"),
    ("share", 1, "100.00%"),
    ("clock", 0, "0:00"),
    ("clock", 7.9, "0:07"),
    ("clock", 754, "12:34"),
    ("clock", 3723, "1:02:03"),
    ("elapsed", 0, "0 s"),
    ("elapsed", 0.5, "0.5 s"),
    ("elapsed", 45, "45 s"),
    ("elapsed", 59.996, "60 s"),
    ("elapsed", 60, "1:00"),
    ("elapsed", 3723.5, "1:02:03"),
)
"""The function, what it is given, and what it makes of it."""
