"""Honest bots with odd habits: a run must say nothing against them."""

from tests.liars.odd import answers, streams
from tests.liars.table import ODD

__all__ = ["ODD", "answers", "streams"]
