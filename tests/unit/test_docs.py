"""The documentation names only what exists, and the version stands in one place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = "tokenburn_site|targets|scenarios|runs|metrics|connectors|mock_chatbot|tests|docker"
MODULE = re.compile(rf"(?<![\w/.])(?:{PACKAGES})(?:/[\w.-]+)*/(?:[\w-]+\.\w+)?")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = {match.group() for match in MODULE.finditer(page.read_text(encoding="utf-8"))}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_architecture_page_names_its_modules() -> None:
    """Guards the search itself: a pattern that finds nothing would pass for a page without mistakes."""
    named = MODULE.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(set(named)) > 25


def test_the_version_stands_in_one_place() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    sources = [path for package in PACKAGES.split("|") for path in (ROOT / package).rglob("*.py")]
    repeated = [path for path in sources if f'"{version}"' in path.read_text(encoding="utf-8")]
    assert repeated == []
