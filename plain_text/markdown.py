"""Markdown as mdformat writes it, for pages that are generated. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

WIDTH = 120
UNBROKEN = re.compile(r"\[[^\]]+\]\([^)]+\)|`[^`]+`")
GLUE = "\0"


def paragraph(text: str, *, before: bool = False, after: bool = True) -> Iterator[str]:
    """Its lines, with an empty line before or after it."""
    if before:
        yield ""
    yield from _wrapped(text)
    if after:
        yield ""


def items(*texts: str) -> Iterator[str]:
    """A list of which each text is one item."""
    for text in texts:
        yield from _wrapped(text, initial_indent="- ", subsequent_indent="  ")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('--' for _ in heads)} |"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _wrapped(text: str, initial_indent: str = "", subsequent_indent: str = "") -> Iterator[str]:
    """Lines that are broken neither within links nor within code."""
    whole = UNBROKEN.sub(lambda found: found.group().replace(" ", GLUE), text)
    lines = wrap(
        whole,
        WIDTH,
        initial_indent=initial_indent,
        subsequent_indent=subsequent_indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        yield line.replace(GLUE, " ")
