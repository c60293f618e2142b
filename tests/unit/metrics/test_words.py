from __future__ import annotations

import pytest

from metrics.words import counted


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("turn",), "0 turns"),
        (1, ("turn",), "1 turn"),
        (2000, ("turn",), "2,000 turns"),
        (1, ("answer was", "answers were"), "1 answer was"),
        (2, ("answer was", "answers were"), "2 answers were"),
    ],
)
def test_one_has_no_plural(count: int, words: tuple[str, ...], text: str) -> None:
    assert counted(count, *words) == text
