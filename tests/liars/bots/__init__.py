"""The liars: each misbehaves in one way. What it says of itself is not believed; the book has what it did."""

from tests.liars.bots import (
    answering_another,
    breaking_agreements,
    counting,
    failing,
    hanging,
    stopping,
    without_text,
)
from tests.liars.table import LIARS

__all__ = [
    "LIARS",
    "answering_another",
    "breaking_agreements",
    "counting",
    "failing",
    "hanging",
    "stopping",
    "without_text",
]
