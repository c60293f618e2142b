"""Expressions that attack a sandbox: drawn from its filters, tests, methods and operators, with large numbers."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import strategies as st
from jmespath.functions import Functions

EXAMPLES: Final = int(os.environ.get("TOKENBURN_FUZZ_EXAMPLES", "150"))
SLOW_S: Final = 2.0
"""Measured beforehand: 0.3 s at most. The machine of a test may be busy."""

_HUGE = st.sampled_from(
    ["0", "2", "-1", "60", "4096", "99999", "1000000", "10**9", "9**(9**9)", "10**400", "-10**9", "1e308"]
)
_FORMATS = ["'%1000000000d'", "'%.999999f'", "'%*d'", "'{:1000000000}'", "'{:{}}'", "'%s%s%s%s'", "'%%%%'"]
_CALLED = ["center", "ljust", "zfill", "expandtabs", "replace", "join", "split", "format", "rfind", "strip", "title"]


def expressions(
    names: list[str], filters: list[str], tests: list[str], *, methods: bool = True
) -> st.SearchStrategy[str]:
    """Expressions over `names` with the filters and tests of a sandbox."""
    simple = st.sampled_from([*names, *_FORMATS, "'a'", "'a b'", "''", "'\\t'", "[]", "{}", "['a', 'b']", "nothing"])
    leaf = st.one_of(simple, _HUGE, st.builds("range({})".format, _HUGE), st.builds("('ab' * {})".format, _HUGE))

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        operator = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"])
        args = st.one_of(st.just(""), st.builds("({})".format, inner), st.builds("({}, {})".format, inner, inner))
        mapped = st.builds("({} | map('{}', {}) | list)".format, inner, st.sampled_from(filters), inner)
        grown = [
            st.builds("({} {} {})".format, inner, operator, inner),
            st.builds("({} | {}{})".format, inner, st.sampled_from(filters), args),
            st.builds("({} is {}{})".format, inner, st.sampled_from(tests), args),
            st.builds("[{0}, {0}, {0}, {0}]".format, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
            mapped,
        ]
        if methods:
            grown.append(st.builds("({}).{}({})".format, inner, st.sampled_from(_CALLED), inner))
            grown.append(st.builds("({})[{}:{}]".format, inner, inner, inner))
        return st.one_of(*grown)

    return st.recursive(leaf, grow, max_leaves=12)


def jmespaths(names: str) -> st.SearchStrategy[str]:
    """Paths into documents whose keys are the letters of `names`."""
    literals = ["`1`", "`null`", "`[]`", "'ab'", "''", '`"9"`', "`1e308`", "`[1, 2]`", "`{}`"]
    leaf = st.sampled_from([*names, "@", "*", "[*]", "[]", "[0]", "[-1]", "[::2]", "[::-1]", '"a"', *literals])
    functions = st.sampled_from(sorted(Functions.FUNCTION_TABLE))

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        operator = st.sampled_from([" || ", " && ", " | ", ".", " == ", " != ", " < ", " >= "])
        return st.one_of(
            st.builds("{}{}{}".format, inner, operator, inner),
            st.builds("{}[?{}]".format, inner, inner),
            st.builds("{}[*].{}".format, inner, inner),
            st.builds("{}[]".format, inner),
            st.builds("[{0}, {0}, {1}]".format, inner, inner),
            st.builds("{{a: {}, b: {}}}".format, inner, inner),
            st.builds("!{}".format, inner),
            st.builds("{}({})".format, functions, inner),
            st.builds("{}({}, &{})".format, st.sampled_from(["sort_by", "min_by", "max_by"]), inner, inner),
            st.builds("map(&{}, {})".format, inner, inner),
            st.builds("{}({}, {})".format, functions, inner, inner),
        )

    return st.recursive(leaf, grow, max_leaves=14)
