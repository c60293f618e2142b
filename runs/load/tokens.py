"""Token counts of a turn: the target's own if plausible, otherwise an estimate, with their source.

The words for the source are those of `metrics.columns.TOKEN_SOURCES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connectors.content.tool_calls import Round
from connectors.content.usage import CHARS_OF_A_TOKEN, MOST_TOKENS, Told, believable
from connectors.timeline import Timeline

CHARS_PER_TOKEN: Final = 4
"""A rule of thumb for English and most tokenizers, used only where the target's counts are missing or implausible, and
reported as an estimate."""

_MIXED: Final = {(True, True): "usage", (False, True): "mixed", (True, False): "mixed_in", (False, False): "estimate"}
_DOUBTED: Final = {(False, True): "doubt_in", (True, False): "doubt_to", (False, False): "doubted"}
_TOLD_IN: Final = frozenset({"usage", "mixed_in", "doubt_to", "split", "asked_in"})
_TOLD_OUT: Final = frozenset({"usage", "mixed", "doubt_in", "split", "split_in"})
_NO_OUTPUT: Final = frozenset({"none", "asked", "asked_in"})
"""Words of sources: the target told the input, or the output; there was none to be told."""
_SPLIT: Final = frozenset({"split", "split_in"})

Tokens = tuple[int | None, int | None, int | None, str]
"""Of the input, of the output, of the reasoning that is part of it (None: not known), and a word of TOKEN_SOURCES."""


def tokens_of(timeline: Timeline, sent_chars: int, text: str, worked: bool = False) -> Tokens:
    """Of one turn, whose request had `sent_chars` characters of text. `worked`: the target had work of it, even if
    nothing of an answer came."""
    given, made = timeline.told_in, timeline.told_out
    if (
        timeline.told_alone
        and sent_chars < given * CHARS_OF_A_TOKEN
        and len(text) < made * CHARS_OF_A_TOKEN
        and given + made <= MOST_TOKENS
        and not timeline.reasoning_chars
    ):
        return given, made, None, "usage"  # as nearly every target reports it
    thought_chars = timeline.reasoning_chars
    chars = len(text) + thought_chars
    told = timeline.told
    if told.output is None and not chars and not worked:
        if timeline.kind is None:  # nothing was answered
            return told.input, None, told.reasoning, "none"
        if told.input is not None and believable(told.input, sent_chars):
            return told.input, None, told.reasoning, "asked_in"
        return estimate(sent_chars), None, told.reasoning, "asked"
    good_in = told.input is not None and believable(told.input, sent_chars)
    good_out = told.output is not None and believable(told.output, chars)
    tokens_in = told.input if good_in else estimate(sent_chars)
    if not good_out or told.output is None:
        reasoning = estimate(thought_chars) if thought_chars else None
        return tokens_in, estimate(len(text)) + (reasoning or 0), reasoning, _source(told, good_in, good_out)
    reasoning, source = told.reasoning, "usage" if good_in else _source(told, good_in, good_out)
    if reasoning is None and thought_chars:
        reasoning = told.output * thought_chars // chars
        if text:
            source = "split" if good_in else "split_in"
    return tokens_in, told.output, reasoning, source


def with_rounds(last: Tokens, rounds: Sequence[Round], sent_chars: int) -> Tokens:
    """`last`, of the last answer of a turn, with those of its answers before: each request is paid for."""
    if not rounds:
        return last
    tokens_in, tokens_out, reasoning, source = last
    told_in = source in _TOLD_IN or source == "none"
    told_out = source in _TOLD_OUT or source in _NO_OUTPUT
    for ended in rounds:
        round_in, good_in = _told_or_estimate(ended.input, sent_chars)
        round_out, good_out = _told_or_estimate(ended.output, ended.chars)
        tokens_in, tokens_out = (tokens_in or 0) + round_in, (tokens_out or 0) + round_out
        told_in, told_out = told_in and good_in, told_out and good_out
        sent_chars += ended.chars
    kept = source if source in _SPLIT and told_in == (source in _TOLD_IN) and told_out else _MIXED[told_in, told_out]
    return tokens_in, tokens_out, reasoning, kept


def _told_or_estimate(told: int | None, chars: int) -> tuple[int, bool]:
    """Tokens of a text, and whether the target told them."""
    return (told, True) if told is not None and believable(told, chars) else (estimate(chars), False)


def estimate(chars: int) -> int:
    """Tokens of a text of `chars` characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)


def _source(told: Told, good_in: bool, good_out: bool) -> str:
    refused_in = not good_in and (told.input is not None or told.unreadable)
    refused_out = not good_out and (told.output is not None or told.unreadable)
    return (_DOUBTED if refused_in or refused_out else _MIXED)[good_in, good_out]
