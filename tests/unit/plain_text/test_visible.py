"""What a terminal obeys or hides becomes visible; everything else stays as it is."""

from __future__ import annotations

import io
import sys
import unicodedata

import pytest
from rich.table import Table
from rich.text import Text

from plain_text.console import PlainConsole
from plain_text.visible import visible, visible_tree

OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_every_control_and_format_character_of_unicode_is_escaped() -> None:
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    found = [letter for letter in every if unicodedata.category(letter) in OBEYED]
    assert len(found) > 2000
    assert [letter for letter in found if not visible(letter).isascii()] == []


@pytest.mark.parametrize("text", ["plain", "Grüße, 你好, שלום, مرحبا", "👍🏽 naïve e\u0301", "C:\\dir", "a b", ""])
def test_what_can_be_read_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\U000e0041", "\\U000e0041"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\ud83d", "\\ud83d"),
        ("\u3164", "\\u3164"),
    ],
)
def test_what_is_obeyed_or_hidden_is_written_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_may_be_kept() -> None:
    assert visible("a\nb\r\u2028", lines=True) == "a\nb\\r\\u2028"


def test_a_tree_is_cleaned_to_its_leaves_and_keys() -> None:
    assert visible_tree({"a\x1b": ["\n", 1, None, {"b": ("\u202e",)}]}) == {
        "a\\x1b": ["\\n", 1, None, {"b": ["\\u202e"]}]
    }


@pytest.mark.parametrize("wrap", [str, Text])
def test_a_console_writes_no_sequence_but_its_own(wrap: type) -> None:
    hostile = "\x1b]0;owned\x07[/red] :smile: \u202ex"
    file = io.StringIO()
    console = PlainConsole(file=file, width=100, force_terminal=True, color_system=None)
    table = Table("head" * 20, show_header=True)
    table.add_row(wrap(hostile))
    console.print(table)
    console.print(wrap(hostile))
    text = file.getvalue()
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert text.count("\\x1b]0;owned") == 2 and text.count("[/red] :smile: \\u202ex") == 2
