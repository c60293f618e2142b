"""Cost of users who lost patience: turns without a waiting user, and their tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.analysis.counts import Counts
from metrics.ingest.windows import WASTED
from metrics.number_format import number
from metrics.report_schema import PatiencePart


def patience_of(load: Mapping[str, Any], counts: Counts) -> PatiencePart | None:
    """The report's `patience`; None for a run whose users wait for ever. `doubled` is the earlier name of `hedged`."""
    profile = load.get("user_profile") or load.get("people") or {}  # the earlier name, in runs that are stored
    if not profile.get("patience"):
        return None
    turns = {word: counts.codes[code] for code, word in WASTED.items()}
    return {
        "abandoned": turns["abandoned"],
        "resent": turns["resent"],
        "hedged": turns["hedged"],
        "doubled": turns["hedged"],
        "wasted_tokens": {"input": counts.wasted["tokens_in"], "output": counts.wasted["tokens_out"]},
    }


def patience_tiles(patience: PatiencePart | None) -> list[tuple[str, int]]:
    """Label and figure, for pages; none if users wait for ever."""
    if patience is None:
        return []
    wasted = patience["wasted_tokens"]
    return [
        ("Users who left", patience["abandoned"]),
        ("Messages sent again", patience["resent"]),
        ("Messages sent twice", patience["hedged"]),
        ("Tokens wasted", wasted["input"] + wasted["output"]),
    ]


def patience_words(patience: PatiencePart) -> str:
    """For example "12 left, 3 sent again, 340 tokens in and 96 out for nothing"."""
    turns = (patience["abandoned"], "left"), (patience["resent"], "sent again"), (patience["hedged"], "sent twice")
    done = [f"{number(count)} {words}" for count, words in turns if count]
    if not done:
        return "no user lost patience"
    wasted = patience["wasted_tokens"]
    return f"{', '.join(done)}; {number(wasted['input'])} tokens in and {number(wasted['output'])} out wasted"
