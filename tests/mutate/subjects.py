"""Which modules are changed, and which tests must notice it.

A subject is a module, or all modules of a folder, by its name wherever it lies. Its near tests are those of the same
folder below tests/unit, which mirrors the packages. What survives them is held against the far tests: those that
are named here, and the unit tests that reach it by the fewest imports.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import grimp

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "tests" / "unit"
PACKAGES = ("connectors", "metrics", "runs", "scenarios")
SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "histogram": (),
    "totals": (),
    "thresholds": (),
    "verdict": (),
    "timeline": ("test_recordings", "test_conformance"),
    "sse": ("test_conformance",),
    "paths": ("test_recordings",),
    "guard": ("test_guard_canary",),
    "leases": (),
    "levels": (),
    "render": (),
    "slots": (),
}
"""Besides: tests outside of tests/unit, by their file's name."""
FEW = 2  # files are near if the module's folder has none
FAR, REACH = 10, 4  # files of unit tests at most, and imports from them to the module: each survivor runs them all


class Module(NamedTuple):
    subject: str
    path: Path
    near: tuple[Path, ...]
    """Its own test first, if it has one."""
    far: tuple[Path, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))


def modules(name: str) -> list[Module]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if _belongs(path, name)]
    assert found, f"no module is called {name}"
    besides = [path for stem in SUBJECTS[name] for path in sorted((ROOT / "tests").rglob(f"{stem}.py"))]
    return [Module(name, path, *_tests(path, besides)) for path in found]


def _belongs(path: Path, name: str) -> bool:
    return path.stem == name or (path.parent.name == name and path.stem != "__init__")


def _tests(path: Path, besides: list[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The near and the far ones."""
    distances = _distances(path)
    others = sorted(distances, key=lambda test: (distances[test], test))
    near = sorted((UNIT / path.relative_to(ROOT).parent).glob("test_*.py")) or others[:FEW]
    near.sort(key=lambda test: test.stem != f"test_{path.stem}")
    far = [test for test in others if test not in near and distances[test] <= REACH]
    return tuple(near), (*besides, *far[:FAR])


@cache
def _imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, "targets", "tokenburn_site", "tests", cache_dir=None)


def _distances(module: Path) -> dict[Path, int]:
    """The number of imports from each unit test to the module; tests that do not reach it are left out."""
    found = {}
    for path in UNIT.rglob("test_*.py"):
        if chain := _imports().find_shortest_chain(importer=_dotted(path), imported=_dotted(module)):
            found[path] = len(chain) - 1
    return found


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
