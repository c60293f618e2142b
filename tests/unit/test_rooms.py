"""No module of the project imports itself by a detour: not at run time, not inside a function, not for types alone."""

from __future__ import annotations

import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES: tuple[str, ...] = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["root_packages"]
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def first_cycle(graph: grimp.ImportGraph) -> list[str]:
    """The modules of one cycle, in the order of their imports; empty: there is none."""
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as exc:
        return list(exc.args[1])
    return []


def test_no_module_imports_itself_by_a_detour(graph: grimp.ImportGraph) -> None:
    assert first_cycle(graph) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("connectors.errors", "connectors.wire.base"), ("runs.models.runs", "runs.services")],
)
def test_a_cycle_is_found(graph: grimp.ImportGraph, importer: str, imported: str) -> None:
    """Guards the search itself."""
    graph.add_import(importer=importer, imported=imported)
    try:
        assert {importer, imported} <= set(first_cycle(graph))
    finally:
        graph.remove_import(importer=importer, imported=imported)


def test_imports_for_types_and_inside_functions_count(graph: grimp.ImportGraph) -> None:
    """A lane's class is imported inside a function here, and nowhere else."""
    assert "connectors.reference.http_connectors" in graph.find_modules_directly_imported_by("connectors.catalogue")
