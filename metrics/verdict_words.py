"""How a report's verdict is put into words: the same on a terminal, on pages and in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

FEW_SAMPLES: Final = "few_samples"
NOTES_HEAD: Final = "How to read it:"


class VerdictWords(NamedTuple):
    """A heading of a few words, a sentence that goes with it, and what stands below it."""

    head: str
    sentence: str
    tone: Literal["good", "short", "bad"]
    reasons: Sequence[str]
    notes: Sequence[str]


def verdict_words(verdict: Mapping[str, Any]) -> VerdictWords:
    """Of a report's `verdict`; notes may be missing."""
    reasons, notes = list(verdict.get("reasons") or ()), list(verdict.get("notes") or ())
    if verdict.get("trusted"):
        return VerdictWords("Trusted", "The generator kept up: these figures are the target's own.", "good", (), notes)
    if reasons and all(reason.startswith(f"{FEW_SAMPLES}:") for reason in reasons):
        sentence = "The generator kept up. Counts, means and the other percentiles are good; these are not:"
        return VerdictWords("Too few turns for every figure", sentence, "short", reasons, notes)
    return VerdictWords("Not to be trusted as it stands", "Because:", "bad", reasons, notes)
