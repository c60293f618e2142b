"""Reads a target's token counts in all common forms and places, and rejects impossible ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

MOST_TOKENS: Final = 2**31 - 1
UNREADABLE: Final = -1
"""A reported count was invalid: negative, a fraction, or not a number."""
CHARS_OF_A_TOKEN: Final = 32
"""More than any tokenizer makes of one token on the average of a text."""
SHORT_CHARS: Final = 64
"""Below this a text may be one odd token: a line of dashes, a long run of spaces."""

_WHOLE: Final = re.compile(r"\d{1,10}(?:\.0+)?")
_INPUT: Final = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokenCount", "promptTokens", "inputTokens")
_OUTPUT: Final = (
    "completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokenCount", "completionTokens",
    "outputTokens", "generated_tokens",
)  # fmt: skip
_TOTAL: Final = ("total_tokens", "totalTokens")
_REASONING: Final = ("reasoning_tokens", "thinking_tokens", "thoughtsTokenCount", "reasoningTokens")
_DETAILS: Final = (
    "completion_tokens_details", "output_tokens_details", "completionTokensDetails", "outputTokensDetails",
)  # fmt: skip
THOUGHT: Final = frozenset((*_DETAILS, *_REASONING))
"""A usage object without any of these keys does not report reasoning."""
_DEEPEST: Final = 4
_WIDEST: Final = 4
"""Levels of an answer, and items of each list, in which usage is looked for."""


class Told(NamedTuple):
    """Reported usage; None: not reported. `output` includes `reasoning`. `unreadable`: a count was not a number."""

    input: int | None
    output: int | None
    reasoning: int | None = None
    unreadable: bool = False


NOTHING: Final = Told(None, None)


def count(value: Any) -> int | None:
    """A count as a number, a float without a fraction or a text; None for null, UNREADABLE for anything else."""
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        value = int(value)
    elif type(value) is str and _WHOLE.fullmatch(bare := value.strip()):
        value = int(bare.partition(".")[0])
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else UNREADABLE


def read(tokens_in: Any, tokens_out: Any, reasoning: Any = None, total: Any = None, *, apart: bool = False) -> Told:
    """Counts as reported. `apart`: the output count excludes reasoning tokens. A `total` that equals the sum of all
    three means the same, and a total beside one count gives the other."""
    counts = [count(value) for value in (tokens_in, tokens_out, reasoning, total)]
    unreadable = UNREADABLE in counts[:2]
    given, made, thought, whole = (None if found == UNREADABLE else found for found in counts)
    if whole is not None and not unreadable:
        if made is None and given:
            made = max(whole - given, 0)
        elif given is None and made:
            given = max(whole - made, 0)
    if thought and (apart or (made is not None and (thought > made or whole == (given or 0) + made + thought))):
        made = min((made or 0) + thought, MOST_TOKENS)
    return Told(given, made, thought, unreadable)


def find(message: Any) -> Told:
    """Usage at the usual places: an object with known names below a key with `usage` in its name, at most four levels
    deep (`usage`, `x_groq.usage`, `choices[0].usage`). NOTHING if there is none."""
    for usage in _usages(message, _DEEPEST):
        tokens_in, tokens_out, total = (_first(usage, names) for names in (_INPUT, _OUTPUT, _TOTAL))
        if (tokens_in, tokens_out, total) != (None, None, None):
            return read(tokens_in, tokens_out, reasoning_of(usage), total)
    return NOTHING


def find_beside(message: Any) -> tuple[Any, Any]:
    """The count of reasoning tokens at the usual places, as reported, and the total beside it; or None."""
    if type(message) is dict and type(usage := message.get("usage")) is dict:
        return reasoning_of(usage), _first(usage, _TOTAL)
    for usage in _usages(message, _DEEPEST):
        reasoning, total = reasoning_of(usage), _first(usage, _TOTAL)
        if reasoning is not None or total is not None:
            return reasoning, total
    return None, None


def reasoning_of(usage: Mapping[str, Any]) -> Any:
    """The reported count of reasoning tokens of a usage object, if it has one."""
    for name in _DETAILS:
        details = usage.get(name)
        if type(details) is dict and (found := _first(details, _REASONING)) is not None:
            return found
    return _first(usage, _REASONING)


def believable(tokens: int, chars: int) -> bool:
    """Whether this many tokens are plausible for a text of this many characters. Too many are always plausible, because
    reasoning and templates are counted but not visible."""
    return tokens > 0 and (chars <= SHORT_CHARS or chars <= tokens * CHARS_OF_A_TOKEN) if chars else tokens >= 0


def _first(data: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if (value := data.get(name)) is not None:
            return value
    return None


def _usages(data: Any, levels: int) -> Iterator[dict[str, Any]]:
    """Objects below a key with `usage` in its name, the nearest to the top first."""
    if type(data) is list:
        data = dict(enumerate(data[:_WIDEST]))
    if type(data) is not dict or not levels:
        return
    inner = [(key, value) for key, value in data.items() if type(value) in {dict, list}]
    for key, value in inner:
        if type(key) is str and "usage" in key.lower() and type(value) is dict:
            yield value
    for _, value in inner[: _WIDEST * 4]:
        yield from _usages(value, levels - 1)
