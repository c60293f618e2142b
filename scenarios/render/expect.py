"""`expect` steps: checks of an answer, bounded in time, because answers and patterns are untrusted."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from typing import Final, Never
from xml.parsers import expat

import orjson

from bounds.patterns import compile_apart
from scenarios.definition.spec import Expect, ScenarioError
from scenarios.template.compiler import Scope, Text, compile_text
from scenarios.template.names import Names

SEARCHED_CHARS: Final = 100_000
"""How much of an answer `matches` looks at, from its start."""
SEARCH_CPU_S: Final = 0.1
THREAD_CHARS: Final = 1_000
"""The same outside the main thread, where a search cannot be interrupted."""

Check = Callable[[str], str | None]
"""Takes an answer, returns why it is not as expected, or None."""
Bind = Callable[[Scope], Check]


class _TooLongError(Exception):
    """A search used up its CPU time."""


def compile_expect(step: Expect, names: Names) -> tuple[list[Check], list[Bind]]:
    """An `expect` step's checks, and those that depend on the session: these are bound when the message is rendered.

    Raises ScenarioError.
    """
    checks: list[Check] = []
    binds: list[Bind] = []
    for source, check in ((step.contains, _contains), (step.not_contains, _lacks)):
        if source is None:
            continue
        text = compile_text(source, names)
        if text.constant is not None:
            checks.append(check(text.constant))
        else:
            binds.append(_bound(text, check))
    if step.min_chars is not None:
        checks.append(_at_least(step.min_chars))
    if step.max_chars is not None:
        checks.append(_at_most(step.max_chars))
    if step.is_format is not None:
        checks.append(_is_json if step.is_format == "json" else _is_xml)
    if step.matches is not None:
        checks.append(_matches(step.matches))
    if not checks and not binds:
        raise ScenarioError("the `expect` step checks nothing: give contains, matches, is_format, ...")
    return checks, binds


def _bound(text: Text, check: Callable[[str], Check]) -> Bind:
    return lambda scope: check(text.of(scope))


def _contains(wanted: str) -> Check:
    return lambda answer: None if wanted in answer else f"the answer does not contain {_short(wanted)}"


def _lacks(unwanted: str) -> Check:
    return lambda answer: f"the answer contains {_short(unwanted)}" if unwanted in answer else None


def _at_least(chars: int) -> Check:
    return lambda answer: (
        None if len(answer) >= chars else f"the answer has {len(answer)} characters, fewer than {chars}"
    )


def _at_most(chars: int) -> Check:
    return lambda answer: (
        None if len(answer) <= chars else f"the answer has {len(answer)} characters, more than {chars}"
    )


def _is_json(answer: str) -> str | None:
    try:
        orjson.loads(answer)
    except ValueError as exc:
        return f"the answer is not JSON: {exc}"
    return None


def _is_xml(answer: str) -> str | None:
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_dtd
    try:
        parser.Parse(answer.strip(), True)
    except (expat.ExpatError, ScenarioError, UnicodeError) as exc:
        return f"the answer is not XML: {exc}"
    return None


def _refuse_dtd(*_: object) -> Never:
    raise ScenarioError("it declares a document type, which is not supported")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _matches(pattern: str) -> Check:
    try:
        compiled = compile_apart(pattern)
    except (re.error, OverflowError, RecursionError) as exc:
        raise ScenarioError(f"matches: not a regular expression: {exc}") from exc

    def check(answer: str) -> str | None:
        main = threading.current_thread() is threading.main_thread()
        limit = SEARCHED_CHARS if main else THREAD_CHARS
        try:
            found = _search(compiled, answer[:limit], main)
        except _TooLongError:
            return f"matches: the search for {_short(pattern)} took longer than {SEARCH_CPU_S} s: simplify it"
        if found:
            return None
        where = f" in its first {limit:,} characters" if len(answer) > limit else ""
        return f"the answer does not match {_short(pattern)}{where}"

    return check


def _search(pattern: re.Pattern[str], text: str, interruptible: bool) -> bool:
    """Raises _TooLongError after SEARCH_CPU_S.

    `re` has no timeout, but looks for signals while it searches. The timer counts the CPU time of this process, so a
    busy machine does not fail a search, and it is not the one that alarms and test timeouts use.
    """
    if not interruptible:
        return pattern.search(text) is not None
    before = signal.signal(signal.SIGVTALRM, _give_up)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, SEARCH_CPU_S)
        try:
            return pattern.search(text) is not None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _give_up(*_: object) -> Never:
    raise _TooLongError
