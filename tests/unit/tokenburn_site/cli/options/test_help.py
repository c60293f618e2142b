"""`burn --help` as it is: each option, its place and its words; docs/burn.md lists the same options."""

from __future__ import annotations

import re
from argparse import SUPPRESS, ArgumentParser
from pathlib import Path

import pytest

from connectors.spec import TargetSpec
from tokenburn_site.cli.options.burn_options import FLAGS, GROUPS, spelled
from tokenburn_site.cli.options.declare import load_field
from tokenburn_site.cli.options.parser import add_options, new_parser

GOLDEN = Path(__file__).with_name("burn_help.txt")
PAGE = Path(__file__).resolve().parents[5] / "docs" / "burn.md"


@pytest.fixture
def parser() -> ArgumentParser:
    made = new_parser("manage.py burn")
    add_options(made)
    return made


def shown(parser: ArgumentParser) -> set[str]:
    return {flag for action in parser._actions if action.help != SUPPRESS for flag in action.option_strings}


def test_help_is_what_it_was(parser: ArgumentParser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert parser.format_help() == GOLDEN.read_text(encoding="utf-8")


def test_the_parts_of_a_target_that_the_help_names_exist(parser: ArgumentParser) -> None:
    (said,) = (action.help or "" for action in parser._actions if "--overrides" in action.option_strings)
    names = said.partition("key by key: ")[2].removesuffix(", ...").split(", ")
    assert len(names) > 2 and set(names) <= set(TargetSpec.model_fields)


def test_the_page_lists_every_option_and_no_other(parser: ArgumentParser) -> None:
    """Its tables name each option in the first column, or where they lead to the page of a group."""
    rows = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith("| ")]
    earlier = {row for row in rows if re.match(r"\| `--\S+( \w+)?`(, `--\S+ \w+`)?( with a unit .*)? \| `--", row)}
    named = {flag for row in rows if row not in earlier for flag in re.findall(r"`(--[a-z][a-z-]+)", row)}
    assert named == shown(parser) - {"-h", "--help"}
    old = {flag for row in earlier for flag in re.findall(r"`(--[a-z][a-z-]+)", row.split("|")[1])}
    assert old <= set(parser._option_string_actions)
    assert {flag for flag in parser._option_string_actions if flag not in shown(parser)} <= old


def test_each_field_of_the_load_that_has_an_option_exists() -> None:
    paths = [path for group in GROUPS for _, option in group.options() for path in option.paths]
    assert len(paths) > 40
    for path in paths:
        assert load_field(path).annotation is not None
    assert set(paths) == set(FLAGS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("give load.users", "give --users"),
        ("load.stages[0].to: too high", "--stages: too high"),
        ("load.budget.prices: there is none", "--price: there is none"),
        ("load.budget.prices.gpt-4o.input: too low", "--price.gpt-4o.input: too low"),
        ("load.max_sessions: too few", "load.max_sessions: too few"),
        ("a load.", "a load."),
        ("unload.users", "unload.users"),
    ],
)
def test_fields_of_the_load_are_called_by_their_options(text: str, says: str) -> None:
    assert spelled(text) == says
