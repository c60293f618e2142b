"""A process that lives for months remembers a bounded number of things that other people gave it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scenarios.definition.synthetic import shared_text

ROOT: Final = Path(__file__).resolve().parents[3]
PACKAGES: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["root_packages"]
FEW: Final = {
    "connectors.preset_info.preset_info",
    "connectors.registry.connector_class",
    "connectors.spec.presets._preset_text",
    "runs.live_stream._publisher",
    "runs.redis_client._client",
    "targets.learning.presets.fit._spec",
}
"""Functions with arguments whose cache has no bound, because the product itself chooses among few of them."""


def unbounded(source: str) -> Iterator[str]:
    """The functions with arguments that remember all their results."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            written = {ast.unparse(one).removeprefix("functools.") for one in node.decorator_list}
            given = node.args
            if written & {"cache", "lru_cache(None)", "lru_cache(maxsize=None)"} and (
                given.args or given.posonlyargs or given.kwonlyargs or given.vararg
            ):
                yield node.name


def test_only_what_the_product_chooses_itself_is_remembered_without_a_bound() -> None:
    found = {
        f"{path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')}.{name}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "cache" in (source := path.read_text("utf-8"))
        for name in unbounded(source)
    }
    assert found == FEW


def test_such_a_cache_is_found() -> None:
    """Guards the search itself."""
    assert list(unbounded("@cache\ndef one(a): ...\n@lru_cache(maxsize=None)\ndef two(*a): ...")) == ["one", "two"]
    assert list(unbounded("@cache\ndef one(): ...\n@lru_cache(maxsize=9)\ndef two(a): ...\ndef three(a): ...")) == []


def test_labels_of_synthetic_texts_are_forgotten() -> None:
    first = shared_text(20, "label 0")
    for number in range(500):
        shared_text(20, f"label {number}")
    assert shared_text.cache_info().currsize <= 64
    assert shared_text(20, "label 0") == first
