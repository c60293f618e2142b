"""Earlier names of options: they do what they did, warn once, and stand in no help."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.management.base import BaseCommand

from metrics import earlier_names
from tests.unit.tokenburn_site.cli.options.test_burn_options import GOOD, SAID, TARGET, options, refused
from tokenburn_site.cli.options.burn_options import EARLIER, Options, present_names
from tokenburn_site.cli.options.parser import add_options, new_parser
from tokenburn_site.management.commands.burn import Command

FIND = [*TARGET, *SAID, "--find-capacity", "error_rate<1%"]


@pytest.fixture(autouse=True)
def nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier_names, "_told", set())


@pytest.mark.parametrize(
    ("others", "earlier", "now"),
    [
        ([*TARGET, *SAID, "--sweep", "1,2"], ["--hold", "9s"], ["--step-duration", "9s"]),
        (FIND, ["--lowest", "3"], ["--min-load", "3"]),
        (FIND, ["--highest", "300"], ["--max-load", "300"]),
        (GOOD, ["--max-requests", "20k"], ["--max-turns", "20k"]),
    ],
    ids=lambda argv: argv[0] if isinstance(argv, list) else "",
)
def test_an_earlier_name_does_the_same_and_warns_once(
    others: list[str], earlier: list[str], now: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = options(*others, *now)
    assert capsys.readouterr().err == ""
    assert options(*others, *earlier) == options(*others, *earlier) == wanted != options(*others)
    assert capsys.readouterr().err == f"Token-Burn: {earlier[0]} is now {now[0]}; the old name works until 1.0\n"


def test_max_turns_with_a_unit_is_the_rate_that_it_once_was(capsys: pytest.CaptureFixture[str]) -> None:
    def limits(found: Options) -> tuple[float | None, object]:
        return found.load.get("max_turns_per_s"), found.load.get("budget")

    assert limits(options(*GOOD, "--max-turn-rate", "100/s", "--max-turns", "500")) == (100.0, {"turns": 500})
    assert capsys.readouterr().err == ""
    assert limits(options(*GOOD, "--max-turns", "300/m")) == (5.0, None)
    assert limits(options(*GOOD, "--max-turns", "100/s", "--max-requests", "500")) == (100.0, {"turns": 500})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Token-Burn: --max-turns with a rate is now --max-turn-rate; the old name works until 1.0",
        "Token-Burn: --max-requests is now --max-turns; the old name works until 1.0",
    ]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--max-turns", "5/x"], "'5/x' is not a rate"),
        (["--max-turns", "1.5"], "'1.5' is not a whole number from 1"),
        (["--hold", "9"], "'9' has no unit"),
        (["--hold", "9s"], "--sweep is missing: --step-duration needs it"),
    ],
)
def test_a_wrong_value_is_refused_under_either_name(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, *GOOD, *argv)


def test_help_has_the_new_names_only() -> None:
    parser = new_parser("burn")
    add_options(parser)
    words = parser.format_help().replace("[", " ").split()
    assert {"--step-duration", "--min-load", "--max-load", "--max-turns", "--max-turn-rate"} <= set(words)
    assert not {"--hold", "--lowest", "--highest", "--max-requests"} & set(words)


def test_both_names_set_one_value() -> None:
    found = options(*GOOD, "--max-requests", "5", "--max-turns", "7")
    assert found == replace(options(*GOOD), load={**options(*GOOD).load, "budget": {"turns": 7}})


@pytest.mark.parametrize(
    ("typed", "now"),
    [
        ("manage.py burn --hold 9s --users 3", "manage.py burn --step-duration 9s --users 3"),
        ("manage.py burn --lowest=3 --highest 5/s", "manage.py burn --min-load=3 --max-load 5/s"),
        ("manage.py burn --max-turns 100/s", "manage.py burn --max-turn-rate 100/s"),
        ("manage.py burn --max-turns=100/s", "manage.py burn --max-turn-rate=100/s"),
        ("manage.py burn --max-turns 100 --at-once 2", "manage.py burn --max-turns 100 --conversations-per-user 2"),
        ("manage.py burn --max-requests 20k", "manage.py burn --max-turns 20k"),
        ("manage.py burn --impatient double --stream", "manage.py burn --impatient hedge --stream"),
        (
            "manage.py burn --prompt=--hold --param a=b=c --json -",
            "manage.py burn --prompt=--hold --param a=b=c --json -",
        ),
        ("manage.py burn --hold", "manage.py burn --step-duration"),
    ],
)
def test_a_command_to_repeat_has_the_new_names(typed: str, now: str) -> None:
    assert present_names(typed.split()) == now.split()


def test_the_command_that_is_shown_has_the_new_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseCommand, "run_from_argv", lambda *_: None)
    command = Command()
    command.run_from_argv(["manage.py", "burn", "--hold", "9s", "--prompt", "a b"])
    assert command.typed == "python manage.py burn --step-duration 9s --prompt 'a b'"


def test_each_earlier_name_is_replaced() -> None:
    assert set(EARLIER) == {"--hold", "--lowest", "--highest", "--max-requests", "--at-once"}
