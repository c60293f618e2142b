"""Notes say how to read figures, and cost no trust."""

from __future__ import annotations

import pytest

from metrics.analysis.verdict.judge import judge
from tests.unit.metrics.analysis.verdict.made import CALM, GOOD, verdict
from tests.unit.metrics.made import MS, aggregate, failed, head, tail, turn


def test_a_proxy_is_said_and_costs_no_trust() -> None:
    found = verdict(*GOOD, proxy="http://proxy:3128")
    assert found.trusted and "http://proxy:3128" in found.notes[-1].text
    assert [note.code for note in found.notes][-1:] == ["through_proxy"]
    assert "through_proxy" not in [note.code for note in verdict(*GOOD).notes]


def test_a_witness_that_left_nothing_is_said_and_costs_no_trust() -> None:
    found = verdict(*GOOD, lacks_witness=True)
    assert found.trusted and [note.code for note in found.notes][-1:] == ["witness_missing"]
    assert "witness_missing" not in [note.code for note in verdict(*GOOD).notes]
    assert not judge(aggregate(head(), *CALM, *GOOD), finished=False, lacks_witness=True).notes


@pytest.mark.parametrize(("version", "noted"), [("1.0", []), ("2.0", ["versions_differ"]), ("", ["versions_differ"])])
def test_an_engine_of_another_version_is_a_note(version: str, noted: list[str]) -> None:
    row = {"index": 0, "host": "a", "version": version, "status": "done", "reason": "", "end": "done", "at_s": 1.0}
    found = judge(aggregate(head(), *CALM, *GOOD, tail(100)), shards=[row], version="1.0")
    assert found.trusted and [note.code for note in found.notes] == noted


def test_notes_say_how_to_read_and_cost_no_trust() -> None:
    lines = [turn(n, ts="estimate", planned=109 * MS) for n in range(100)]
    found = verdict(*lines, *(failed(100 + n) for n in range(10)), turns=110)
    assert found.trusted
    assert [note.code for note in found.notes] == ["tokens_estimated", "survivors_only"]


def test_estimates_of_both_kinds_are_told_apart() -> None:
    sources = ("doubt_to", "mixed_in", "estimate")
    found = verdict(*(turn(n, ts=sources[n % 3], planned=109 * MS) for n in range(99)), turns=99)
    text = next(note.text for note in found.notes if note.code == "tokens_estimated")
    assert text.startswith("The target did not report all token counts, and not all that it reported are plausible;")


@pytest.mark.parametrize(
    ("source", "noted", "said"),
    [
        ("usage", [], ""),
        ("mixed", ["tokens_estimated"], "all input token counts"),
        ("mixed_in", ["tokens_estimated"], "all output token counts"),
        ("doubted", ["tokens_estimated", "usage_not_believed"], "Not all token counts that the target reported"),
        ("doubt_in", ["tokens_estimated", "usage_not_believed"], "Not all input token counts that"),
        ("doubt_to", ["tokens_estimated", "usage_not_believed"], "In 100 turns the target's usage is impossible"),
        ("doubt_to", ["tokens_estimated", "usage_not_believed"], "too few for its texts, too many, or not a number"),
        ("split", ["reasoning_split"], "In 100 turns the target streamed its reasoning"),
        ("split_in", ["tokens_estimated", "reasoning_split"], "all input token counts"),
    ],
)
def test_notes_say_whose_token_counts_the_figures_rest_on(source: str, noted: list[str], said: str) -> None:
    found = verdict(*(turn(n, ts=source, planned=109 * MS) for n in range(100)), turns=100)
    assert found.trusted
    assert [note.code for note in found.notes] == noted
    assert said in " ".join(note.text for note in found.notes)
