"""Thresholds such as `ttft_ms.p95<500`, for all conversations of a run or a group of them. Pure.

`metric.statistic`, or a rate or count, an operator and a number. Braces choose conversations by scenario, model and
tags: `ttft_ms{scenario=rapid-fire}.p95<500`, `error_rate{model=gpt-4o, tier=gold}<1%`. `and` joins several.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from metrics.definitions import BY_NAME, STATS, find
from metrics.earlier_names import RATES as EARLIER_RATES
from metrics.earlier_names import warn_renamed
from metrics.groups import Where
from metrics.report_schema import Stat
from metrics.shares import parse_share

EXAMPLE = "ttft_ms.p95<500"
CHOICE_EXAMPLE = "ttft_ms{scenario=rapid-fire}.p95<500"
RATES = {
    "error_rate": "turns_failed / (turns_ok + turns_failed), 0 to 1; may be written as 1%",
    "turns_per_s": "ok turns per second",
    "completed_sessions_per_min": "completed sessions per minute",
    "ended_sessions_per_min": "sessions that ended in any way, per minute",
    "output_tokens_per_s": "output tokens of ok turns per second",
    "tokens_per_s": "input and output tokens of all turns per second",
    "drift": "relative rise (20%) of the median of e2e_ms from the run's first third to its last; only for the whole "
    "run, which must last some seconds and have 50 ok turns in each third",
    "dropped_arrivals": "arrivals that the generator could not start; only for the whole run",
    "turns_ok": "ok turns",
    "turns_failed": "turns with the outcome error or timeout, or whose user gave up (`user_left`)",
    "turns_unknown": "turns in flight when an engine died",
    "sessions_failed": "failed sessions",
}
COUNTS = frozenset({"dropped_arrivals", "turns_ok", "turns_failed", "turns_unknown", "sessions_failed"})
"""Figures that only grow during a run."""
OF_THE_RUN = frozenset({"dropped_arrivals", "drift"})
"""What belongs to no conversation."""
SHARES = frozenset({"error_rate", "repetition", "drift"})
"""Figures whose limit may be written in percent."""
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SHAPE = re.compile(
    rf"\s*(?P<name>[A-Za-z_][\w-]*)\s*(?:\{{(?P<where>(?:[^\"{{}}]|{_QUOTED})*)\}})?(?:\.(?P<stat>\w+))?"
    r"\s*(?P<op><=|>=|==|<|>)\s*(?P<limit>[^\s%]+)\s*(?P<percent>%?)\s*"
)
_PAIR = re.compile(rf'\s*(?P<key>[A-Za-z_][\w-]*)\s*=\s*(?:(?P<quoted>{_QUOTED})|(?P<bare>[^",={{}}]+))\s*')
_PART = re.compile(rf"{_QUOTED}|\s+and\s+|,|.", re.DOTALL)
_OPERATOR = r"\s*(<=|>=|==|<|>)\s*[0-9]{1,12}(\.[0-9]{1,9})?"
SETS: Mapping[str, tuple[str, ...]] = {
    "chat": ("e2e_ms.p50<1000", "e2e_ms.p99<3000", "error_rate<1%"),
    "chat-stream": ("ttfc_ms.p50<500", "ttfc_ms.p99<1000", "error_rate<1%"),
}
"""Written as `@chat`: what a chat is commonly asked to keep to."""


def schema_pattern() -> str:
    """Of one text of a plan's thresholds, for the API's schema: which metrics, statistics, rates and sets there are."""
    where = r"(\{[^{}]+\})?"
    metric = rf"({'|'.join(BY_NAME)}){where}\.({'|'.join(STATS)}){_OPERATOR}"
    rates = [name for name in (*RATES, *EARLIER_RATES) if name not in SHARES]
    rate = rf"({'|'.join(rates)}){where}{_OPERATOR}"
    share = rf"({'|'.join(sorted(SHARES & RATES.keys()))}){where}{_OPERATOR}\s*%?"
    one = rf"\s*({metric}|{rate}|{share})\s*"
    return rf"^({one}(\sand\s{one})*|\s*@({'|'.join(SETS)})\s*)$"


NEAR = 0.8
"""How similar a name must be to be meant: with less, the guess is a metric of another kind."""
LONGEST = 1000


class ThresholdError(ValueError):
    """A threshold that cannot be read; the text is one line with an example of a right one."""


class Value(NamedTuple):
    """What was measured lies between two bounds, mostly the same; `high` is infinite where none is known."""

    low: float
    high: float


@dataclass(frozen=True)
class Threshold:
    """`stat` is None for a rate or count; `limit` is in the metric's own unit; `where` chooses conversations."""

    expr: str
    name: str
    stat: Stat | None
    op: str
    limit: float
    where: Where = ()

    def holds(self, value: Value | None) -> bool:
        """Whether it is known to hold: a value that was not measured keeps no promise, and one that is known in bounds
        keeps it wherever it lies between them."""
        return value is not None and all(OPERATORS[self.op](bound, self.limit) for bound in value)

    def fails(self, value: Value | None) -> bool:
        """Whether it is known not to hold."""
        if value is None:
            return False
        if self.op == "==":
            return not value.low <= self.limit <= value.high
        return not any(OPERATORS[self.op](bound, self.limit) for bound in value)


def parse_thresholds(text: str) -> tuple[Threshold, ...]:
    """Read one threshold, several joined by `and`, or a set of them by its name. Raises ThresholdError."""
    if isinstance(text, str) and text.strip().startswith("@"):
        return tuple(parse_threshold(part) for part in _of_set(text.strip()[1:]))
    if not isinstance(text, str) or len(text) > LONGEST:
        return (parse_threshold(text),)
    return tuple(parse_threshold(part) for part in _split(text, lambda piece: piece.strip() == "and" != piece))


def _of_set(name: str) -> tuple[str, ...]:
    if name not in SETS:
        raise ThresholdError(f"threshold '@{shown(name)}': there is no such set; there are @{', @'.join(SETS)}")
    return SETS[name]


def parse_all(texts: Iterable[str]) -> list[Threshold]:
    """Every threshold of a list of such texts, in their order. Raises ThresholdError."""
    return [threshold for text in texts for threshold in parse_thresholds(text)]


def parse_threshold(text: str) -> Threshold:
    """Read `metric.stat<limit` or `rate<limit`, with or without a choice in braces. Raises ThresholdError."""
    match = _SHAPE.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST else None
    if match is None:
        braces = isinstance(text, str) and "{" in text
        raise _error(
            text,
            "write it as metric.statistic, an operator (< <= > >= ==) and a number",
            example=CHOICE_EXAMPLE if braces else EXAMPLE,
        )
    name, stat = match["name"], match["stat"]
    if name in EARLIER_RATES:
        warn_renamed(f"the threshold {name}", EARLIER_RATES[name])
        name = EARLIER_RATES[name]
    found: Stat | None = None
    if name in RATES:
        if stat is not None:
            raise _error(text, f"'{name}' is one number and has no '.{stat}'", f"{name}<{match['limit']}")
    else:
        found = _stat_of(text, name, stat, match)
    limit = _limit(text, match)
    if match["percent"] and name not in SHARES:
        raise _error(text, f"'{name}' is not a share, so it takes no %")
    return Threshold(text.strip(), name, found, match["op"], limit, _where(text, name, match["where"]))


def _split(text: str, ends: Callable[[str], bool]) -> list[str]:
    """The text cut at the pieces for which `ends` holds, none of them inside quotes."""
    parts = [""]
    for piece in _PART.findall(text):
        if ends(piece):
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _where(text: str, name: str, inside: str | None) -> Where:
    if inside is None:
        return ()
    if name in OF_THE_RUN:
        raise _error(text, f"'{name}' is of the whole run: leave the braces out")
    found: dict[str, str] = {}
    for part in _split(inside, lambda piece: piece == ","):
        match = _PAIR.fullmatch(part)
        if match is None:
            problem = "braces hold scenario=, model= or a tag's name=, with a value (in quotes if it is not one word)"
            raise _error(text, problem, example=CHOICE_EXAMPLE)
        if match["key"] in found:
            raise _error(text, f"'{match['key']}' is given twice: a conversation has one", example=CHOICE_EXAMPLE)
        quoted = match["quoted"]
        found[match["key"]] = match["bare"].strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1:-1])
    return tuple(found.items())


def _stat_of(text: str, name: str, stat: str | None, match: re.Match[str]) -> Stat:
    braces = "" if match["where"] is None else f"{{{match['where']}}}"
    end = f"{match['op']}{match['limit']}{match['percent']}"
    if find(name) is None:
        names = [*BY_NAME, *RATES]
        near = [f"{name}_ms"] if f"{name}_ms" in names else get_close_matches(name, names, n=1, cutoff=NEAR)
        if not near:
            raise _error(text, f"no metric is called '{name}'; there are {', '.join(names)}")
        raise _error(text, f"no metric is called '{name}'", f"{near[0]}{braces}{_stat_end(near[0], stat)}{end}")
    found = next((known for known in STATS if known == stat), None)
    if found is None:
        near = get_close_matches(stat or "", STATS, n=1)
        said = f"has no statistic '{stat}'" if stat else "needs a statistic"
        written = f"{name}{braces}.{near[0] if near else 'p95'}{end}"
        better = written if near or not stat else ""
        raise _error(text, f"'{name}' {said} ({', '.join(STATS)})", better, written)
    return found


def _stat_end(name: str, stat: str | None) -> str:
    if name in RATES:
        return ""
    return f".{stat if stat in STATS else 'p95'}"


def _limit(text: str, match: re.Match[str]) -> float:
    try:
        return parse_share(match["limit"] + match["percent"])
    except ValueError:
        raise _error(text, f"'{match['limit']}' is not a plain number (times are in ms)") from None


def _error(text: Any, problem: str, better: str = "", example: str = EXAMPLE) -> ThresholdError:
    hint = f"did you mean '{better}'?" if better else f"for example '{example}'"
    return ThresholdError(f"threshold '{shown(text)}': {problem}; {hint}")


def shown(text: Any) -> str:
    """A threshold's text as an error quotes it: one line, 80 characters at most."""
    return " ".join(str(text).split())[:80]
