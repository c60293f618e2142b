"""Text for a report's verdict, the same on a terminal, on pages and in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from metrics.report_schema import VerdictPart

FEW_SAMPLES: Final = "few_samples"
NOTES_HEAD: Final = "Notes:"


class VerdictWords(NamedTuple):
    """A short heading, its sentence, and the lines below it."""

    head: str
    sentence: str
    tone: Literal["good", "short", "bad"]
    reasons: Sequence[str]
    notes: Sequence[str]


def verdict_words(verdict: VerdictPart) -> VerdictWords:
    """Of a report's `verdict`; notes may be missing."""
    reasons, notes = list(verdict.get("reasons") or ()), list(verdict.get("notes") or ())
    if verdict.get("trusted"):
        return VerdictWords("Trusted", "The generator kept up, so these figures are the target's.", "good", (), notes)
    if reasons and all(reason.startswith(f"{FEW_SAMPLES}:") for reason in reasons):
        sentence = "The generator kept up. Counts, means and other percentiles are valid, but not these:"
        return VerdictWords("Too few turns for some figures", sentence, "short", reasons, notes)
    return VerdictWords("Not trusted", "Reasons:", "bad", reasons, notes)
