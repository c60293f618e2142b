"""What users who lost patience cost: turns whose answer nobody waited for, and their tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.totals import Counts
from metrics.windows import WASTED


def patience_of(load: Mapping[str, Any], counts: Counts) -> dict[str, Any] | None:
    """The report's `patience`; None for a run whose users wait for ever."""
    if not (load.get("people") or {}).get("patience"):
        return None
    wasted = {"input": counts.wasted["tokens_in"], "output": counts.wasted["tokens_out"]}
    return {**{word: counts.codes[code] for code, word in WASTED.items()}, "wasted_tokens": wasted}


def patience_tiles(patience: Mapping[str, Any] | None) -> list[tuple[str, int]]:
    """Label and figure, for pages; none if users wait for ever."""
    if patience is None:
        return []
    wasted = patience["wasted_tokens"]
    return [
        ("Users who left", patience["abandoned"]),
        ("Messages sent again", patience["resent"]),
        ("Messages sent twice", patience["doubled"]),
        ("Tokens wasted", wasted["input"] + wasted["output"]),
    ]


def patience_words(patience: Mapping[str, Any]) -> str:
    """For example "12 left, 3 sent again, 340 tokens in and 96 out for nothing"."""
    done = [
        f"{patience[name]:,} {words}"
        for name, words in (("abandoned", "left"), ("resent", "sent again"), ("doubled", "sent twice"))
        if patience[name]
    ]
    if not done:
        return "nobody lost it"
    wasted = patience["wasted_tokens"]
    return f"{', '.join(done)}; {wasted['input']:,} tokens in and {wasted['output']:,} out for nothing"
