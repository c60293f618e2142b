"""Patterns of users: those that read any text in one go are taken, all others refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.content.patterns import PATTERN_CHARS, compile_pattern

FINE = [
    r'name="csrf" value="([^"]+)"',
    r"^(?P<kind>[^:]+):(?P<data>.*)",
    r"(?s)^(?P<kind>\w):(?P<data>.*)$",
    r"(?i)csrf_token\s*=\s*'([^']+)'",
    r"\[END\]$",
    r"done|finished",
    r"\d+",
    r"x*",
    r"^\s*data:",
    r"event: (\w+)\n",
    r"^a{2,5}b?(cd)?[ef]*$",
]


@pytest.mark.parametrize("pattern", FINE)
def test_a_pattern_that_reads_on_is_taken(pattern: str) -> None:
    assert compile_pattern(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(a+)+$", "not a group"),
        (r"(.|a)*c", "not a group"),
        (r"(ab)*", "not a group"),
        (r"(a{1,9}){1,9}", "not a group"),
        (r".*x", r"write \[\^x\]\*x"),
        (r"^.*?x", "what comes next"),
        (r"^a*a*b", "what comes next"),
        (r"^a*b?a*c", "what comes next"),
        (r"^\w+[é]", "what comes next"),
        (r"(?i)^a*A", "what comes next"),
        (r"\d+x", "begin with"),
        (r"<[^!]*!", "begin with"),
        (r"x*$", "begin with"),
        (r"a[^b]*b[^c]*c[^b]*b", "begin with"),
        (r"a{0,100}b{0,100}c", "too many ways"),
        (r"a?" * 40, "too many ways"),
        (r"(a|b)(c|d)(e|f)(g|h)(i|j)(kk|l)(mm|n)(oo|p)(qq|r)(ss|t)(uu|v)", "alternatives"),
        (r"(a)\1", "reference to a group"),
        (r"a(?=b)", "look ahead"),
        (r"(?<!b)a", "look ahead or behind"),
        (r"(?m)^a", "flags"),
        (r"(?i:a)b", "flags of a group"),
        (r"(?>a)", "not supported"),
        (r"[", "is not a regular expression"),
        (r"a{1,99999999999999999999}", "not"),
        (r"(" * 400, "is not a regular expression"),
        ("a" * (PATTERN_CHARS + 1), "characters"),
    ],
)
def test_a_pattern_that_could_take_long_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compile_pattern(pattern)


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", r"\d", "aa", "(a|b)", "(?:ab)", "^", "$"])
TIMES = st.sampled_from(["", "*", "+", "?", "{2,3}", "*?"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ATOMS, TIMES), min_size=1, max_size=6))
def test_what_is_taken_is_quick(parts: list[tuple[str, str]]) -> None:
    try:
        search = compile_pattern("".join(atom + times for atom, times in parts)).search
    except ValueError:
        return
    for text in ("a" * 20_000, "ab" * 10_000, "b" * 20_000 + "a", "1" * 20_000):
        began_s = time.thread_time()
        search(text)
        assert time.thread_time() - began_s < 0.1, "of a pattern with a square it is a second and more"
