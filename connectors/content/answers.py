"""Classifies answers by their text and finish reason, and decides which kinds are good. Pure.

text        it has text that can be seen, and nothing below is so
tool_call   it asks for a tool
refusal     the target refused to answer
filtered    a content filter took the answer, or ended it
length      it was cut off by a length limit
reasoning   it has reasoning, and no text
result      it is something else than a text that was asked for: a vector, a ranking, an image
empty       none of these: its text is empty, or white space alone
"""

from __future__ import annotations

import re
import string
from typing import Final, Literal

from plain_text.visible import visible

Kind = Literal["text", "tool_call", "refusal", "filtered", "length", "reasoning", "result", "empty"]
Expectation = Literal[
    "text", "complete", "tool_call", "refusal", "filtered", "length", "reasoning", "result", "empty", "any"
]
"""A word of `expect_text`: which answers are good. `text`: any that has text; `complete`: text that was neither cut nor
filtered nor refused, and calls no tool; `any`: every answer; the others are kinds, with or without text."""
DEFAULT_EXPECT: Final[tuple[Expectation, ...]] = ("text", "tool_call", "result")

REASON_CHARS: Final = 40
MOST_REASONS: Final = 30
"""Maximum number of different finish reasons per process: the target chooses the words, and reports count by them."""
BLANK: Final = (
    string.whitespace
    + "\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
    "\u202f\u205f\u3000\xad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
)
"""Invisible characters: white space and zero-width marks. A text that has only these is empty."""
NO_REASONS: Final = frozenset({"", "null", "none", "Null", "None", "NULL", "NONE"})
"""Finish reasons that some targets write into events other than the last."""
OTHER_REASON: Final = "(other)"

_LENGTH = """length max_tokens max_output_tokens max_completion_tokens max_new_tokens max_length model_length
    token_limit token_limit_reached model_context_window_exceeded context_length context_length_exceeded error_limit
    limit"""
_FILTERED = """content_filter content_filtered content_filter_error safety recitation blocklist prohibited_content spii
    image_safety image_prohibited_content image_recitation guardrail_intervened guardrails error_toxic toxic sensitive
    moderation blocked block_reason_unspecified jailbreak model_armor"""
_TOOL_CALL = "tool_calls tool_call tool_use function_call function_calls"
_REFUSAL = "refusal refused"
_FAILED = """error errors failed failure internal_error internal_server_error server_error network_error timeout
    malformed_function_call malformed_response malformed_tool_use malformed_model_output unexpected_tool_call
    too_many_tool_calls missing_thought_signature insufficient_system_resource cancelled canceled aborted abort
    user_cancel exception"""
_KIND_OF_REASON: Final[dict[str, str]] = {
    word: kind
    for kind, words in (
        ("length", _LENGTH),
        ("filtered", _FILTERED),
        ("tool_call", _TOOL_CALL),
        ("refusal", _REFUSAL),
        ("failed", _FAILED),
    )
    for word in words.split()
}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS: Final = {
    "tool_call": "it asks for a tool",
    "refusal": "the target refused",
    "filtered": "a content filter ended it",
    "length": "it was cut off by a length limit",
    "reasoning": "it has only reasoning",
    "result": "it has a result instead of a text",
    "empty": "its text is empty",
}


def kind_of_reason(reason: str) -> str | None:
    """The kind for a finish reason of any dialect, or "failed" for an error. None: a normal or unknown reason."""
    kind = _KIND_OF_REASON.get(reason)
    return kind or _KIND_OF_REASON.get(_HUMP.sub("_", reason).lower().replace("-", "_").replace(" ", "_"))


def kind_of(
    *, text: bool, by_reason: str | None, tool_call: bool, refusal: bool, reasoning: bool, result: bool = False
) -> Kind:
    """`by_reason`: the kind according to the finish reason. An answer cut during reasoning is `reasoning`."""
    if by_reason == "filtered":
        return "filtered"
    if refusal or by_reason == "refusal":
        return "refusal"
    if tool_call or by_reason == "tool_call":
        return "tool_call"
    if not text and result:
        return "result"
    if not text and reasoning:
        return "reasoning"
    if by_reason == "length":
        return "length"
    return "text" if text else "empty"


def is_good(kind: Kind, *, text: bool, expected: frozenset[str]) -> bool:
    return (
        kind in expected
        or (text and "text" in expected)
        or (kind == "text" and "complete" in expected)
        or "any" in expected
    )


def words_for(kind: str, reason: str | None, refusal: str, reasoning_chars: int) -> str:
    """What kind of answer it is, in a few words for an error message."""
    words = _WORDS.get(kind, "it has text")
    if kind == "refusal" and refusal:
        words += f": {refusal}"
    if kind == "reasoning":
        words += f" ({reasoning_chars} characters)"
    return words if reason is None else f"{words} (finish reason {reason!r})"


class Reasons:
    """The finish reasons of a target, at most MOST_REASONS of them: all beyond are one."""

    def __init__(self) -> None:
        self.known: dict[str | None, tuple[str | None, str | None]] = dict.fromkeys((None, *NO_REASONS), (None, None))
        """For a finish reason as received: its normalized form, and its kind (see `kind_of_reason`)."""
        self._words: set[str] = set()

    def of(self, reason: str) -> tuple[str | None, str | None]:
        """Adds the finish reasons to `known`, up to its limit."""
        if (found := self.known.get(reason)) is not None:
            return found
        word = visible(" ".join(reason[: 4 * REASON_CHARS].split()))[:REASON_CHARS]
        if word not in self._words and len(self._words) >= MOST_REASONS:
            return OTHER_REASON, kind_of_reason(reason)
        self._words.add(word)
        learned = word, kind_of_reason(reason)
        if len(self.known) < MOST_REASONS + len(NO_REASONS):
            self.known[reason] = learned
        return learned


_WORD: Final = re.compile(r"\w+")
_WORD_CHARS: Final = 12


def begins_elsewhere(pieces: str, whole: str) -> bool:
    """Whether the streamed text begins with a word that is missing from the whole text at the end, such as a greeting
    or a status. Formatting that only one of them has is no difference."""
    word = _WORD.search(pieces)
    return word is not None and bool(whole.strip(BLANK)) and word[0][:_WORD_CHARS] not in whole
