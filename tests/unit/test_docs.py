"""The documentation refers only to existing paths, links, names and tests, and the version is written in one place."""

from __future__ import annotations

import ast
import re
import tomllib
from argparse import SUPPRESS
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands

from tokenburn_site.cli.options.parser import add_options, new_parser
from tokenburn_site.config.env import Env, FromEnvironment
from tokenburn_site.config.oidc import OidcEnv

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PACKAGES = (
    "tokenburn_site|targets|policy|accounts|audit|scenarios|runs|metrics|connectors|bounds|inputs|plain_text|sealing|"
    "supply_chain|mock_chatbot|tests|docker"
)
MODULE = re.compile(rf"(?<![\w/.])(?:{PACKAGES})(?:/[\w.-]+)*/(?:[\w-]+\.\w+)?")
LINK = re.compile(r"\]\(([^)\s]+)\)")
RED_TEAM = re.split(r"^## ", (ROOT / "tests/e2e/red_team/table.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
ROWS, MORE_OF_A_KIND = 14, 2
NAMED_TEST = re.compile(r"`([\w/]+)::(\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = {match.group() for match in MODULE.finditer(page.read_text(encoding="utf-8"))}
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_to_an_existing_heading(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    broken = [link for link in links if not _leads_somewhere(page, *link.partition("#")[::2])]
    assert broken == []


def _leads_somewhere(page: Path, path: str, anchor: str) -> bool:
    to = page.parent / path if path else page
    if not to.exists():
        return False
    return not anchor or anchor in _anchors(to.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    """What a heading is called in links: small letters, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_option_of_burn_is_documented() -> None:
    parser = new_parser("burn")
    add_options(parser)
    listed = [option for action in parser._actions if action.help != SUPPRESS for option in action.option_strings]
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    assert len(listed) > 60
    assert [option for option in listed if not re.search(rf"{option}(?![\w-])", pages)] == ["-h", "--help"]


def test_every_command_that_a_page_shows_exists() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = set(re.findall(r"manage\.py ([a-z]\w*)", pages))
    assert len(shown) > 15
    assert shown - set(get_commands()) == {"drf_create_token"}, "which the changelog says is gone"


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    rows = re.findall(r"^\| (`[A-Z].*?) \|", _page("operations.md") + _page("people.md"), re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([A-Z][A-Z_]+)`", row)}
    assert listed == {*_variables(Env), *_variables(OidcEnv), "TOKENBURN_ADMIN_PASSWORD"}  # the last is read by `up`


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _variables(settings: type[FromEnvironment]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    fields = settings.model_fields.items()
    return {f"{'' if field.validation_alias else prefix}{name}".upper() for name, field in fields}


def test_every_name_in_the_glossary_exists() -> None:
    rows = re.findall(r"^\| .+ \| (.*) \|$", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    sources = "\n".join(
        path.read_text(encoding="utf-8") for p in PACKAGES.split("|") for path in (ROOT / p).rglob("*.py")
    )
    assert len(names) > 80
    assert sorted(name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}", sources)) == []


def test_the_architecture_page_names_its_modules() -> None:
    """Guards the search itself: a pattern that finds nothing would pass for a page without mistakes."""
    named = MODULE.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(set(named)) > 25


def test_the_version_is_written_in_one_place() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    sources = [path for package in PACKAGES.split("|") for path in (ROOT / package).rglob("*.py")]
    repeated = [path for path in sources if f'"{version}"' in path.read_text(encoding="utf-8")]
    assert repeated == []


@cache
def functions_of(module: str) -> frozenset[str]:
    path = ROOT / "tests" / f"{module}.py"
    found = ast.parse(path.read_text("utf-8")).body if path.exists() else []
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_red_teams_table_has_every_row() -> None:
    assert [row.split(".")[0] for row in RED_TEAM] == [str(number + 1) for number in range(ROWS)]


@pytest.mark.parametrize("row", RED_TEAM, ids=lambda row: row.splitlines()[0])
def test_each_row_names_tests_of_its_own_and_more_of_the_kind(row: str) -> None:
    own, more = (set(NAMED_TEST.findall(part)) for part in row.split("\nMore:\n"))
    assert own
    assert len(more - own) >= MORE_OF_A_KIND
    assert [(module, name) for module, name in own | more if f"test_{name}" not in functions_of(module)] == []
    assert row.count("::") == len(NAMED_TEST.findall(row)), "each name is read"
