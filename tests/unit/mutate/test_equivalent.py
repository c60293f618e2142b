"""The changes that may pass unnoticed are changes of lines that are there: else `make mutate` finds no reason."""

from __future__ import annotations

from tests.mutate.results import EQUIVALENT, Equivalents, Result
from tests.mutate.subjects import ROOT, SUBJECTS, modules


def entries() -> list[tuple[str, str]]:
    """(module, change)"""
    paragraphs = EQUIVALENT.read_text("utf-8").split("\n\n")
    first = [[line for line in text.splitlines() if not line.startswith("#")] for text in paragraphs]
    return [(module, change) for [line, *_] in filter(None, first) for module, _, change in [line.partition(": -")]]


def test_each_entry_is_about_a_line_of_its_module() -> None:
    assert len(entries()) > 10
    for module, change in entries():
        lines = [line.strip() for line in (ROOT / module).read_text("utf-8").splitlines()]
        assert change in lines or any(line and change.startswith(f"{line} +") for line in lines), (module, change)


def test_each_entry_has_a_reason_and_a_module_that_is_changed() -> None:
    names = {module.name for subject in SUBJECTS for module in modules(subject)}
    for module, change in entries():
        line, _, _ = change.partition(" +")
        result = Result("", "", module, 1, f"-{change}" if " +" in change else f"-{line} +other", "survived", "", 0.0)
        assert module in names
        assert Equivalents().reason(result), (module, change)
