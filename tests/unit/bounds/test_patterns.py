"""What other people give does not stay in Python's cache of patterns."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from bounds.patterns import KEPT, compile_apart
from connectors.security.redact import Redactor
from connectors.security.vault import Vault
from scenarios.definition.spec import parse_scenario
from scenarios.render.walk import compile_scenario

SECRET = "sk-5f0e1d2c3b4a"


def compiled_by(make: Callable[[], object]) -> list[str]:
    """The patterns that `re` really compiles meanwhile; what its cache holds it does not."""
    found: list[str] = []
    compile_ = re._compiler.compile  # type: ignore[attr-defined]  # it is not public

    def noted(pattern: str, flags: int = 0) -> object:
        found.append(pattern)
        return compile_(pattern, flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("re._compiler.compile", noted)
        make()
    return found


def expecting() -> None:
    steps = [{"do": "say", "text": "Hi"}, {"do": "expect", "matches": f"{SECRET}+"}]
    compile_scenario(parse_scenario({"name": "a", "steps": steps}))


def redacted() -> None:
    Redactor([SECRET * 3])


def test_it_compiles_as_python_does() -> None:
    assert compile_apart("a(b+)").sub(r"\1", "xabbx") == "xbbx"
    with pytest.raises(re.error):
        compile_apart("(")


@pytest.mark.parametrize("make", [redacted, lambda: Vault({"key": SECRET * 3}, []), expecting])
def test_a_pattern_is_forgotten_when_a_few_others_have_come(make: Callable[[], object]) -> None:
    def compiled() -> list[str]:
        return [pattern for pattern in compiled_by(make) if "5f0e" in pattern]

    for number in range(KEPT):
        compile_apart(f"earlier {number}")
    first = compiled()
    assert first
    assert compiled() == [], "those of the target that is in use are kept"
    for number in range(KEPT):
        compile_apart(f"later {number}")
    assert compiled() == first


def test_the_cache_is_what_it_is_kept_from() -> None:
    """Guards the test above."""
    assert compiled_by(lambda: re.compile("known to nobody else")) == ["known to nobody else"]
    assert compiled_by(lambda: re.compile("known to nobody else")) == []
