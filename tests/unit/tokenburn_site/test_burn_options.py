"""What `burn` understands, and the one line it says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from tokenburn_site.burn.errors import EXIT_USAGE, BadUsage
from tokenburn_site.burn.options import Options, add_options, check, new_parser

TARGET = ["--url", "http://127.0.0.1:1/v1", "--preset", "openai-chat"]
SAID = ["--prompt", "hello"]
LOAD = ["--users", "2", "--duration", "3s"]
GOOD = [*TARGET, *SAID, *LOAD]


def options(*argv: str) -> Options:
    parser = new_parser("burn")
    add_options(parser)
    return check(vars(parser.parse_args(argv)))


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line; the parser and the check refuse in their own ways, and both must keep to it."""
    try:
        options(*argv)
    except BadUsage as exc:
        line = str(exc)
        assert exc.exit_code == EXIT_USAGE
    except SystemExit as exc:
        out, err = capsys.readouterr()
        assert exc.code == EXIT_USAGE
        assert out == ""
        assert err.endswith("see burn --help\n")
        line = err.removesuffix("\n")
    else:
        pytest.fail(f"{argv} was accepted")
    assert "\n" not in line
    return line


def test_the_smallest_command_line() -> None:
    assert options(*GOOD) == Options(
        url="http://127.0.0.1:1/v1", preset="openai-chat", prompt="hello", users=2, duration_s=3.0
    )


def test_every_option_arrives() -> None:
    argv = "--target t --stream --model m --param max_tokens=64 --stamp s --scenario a --scenario b --rate 300/m"
    argv += " --arrivals poisson --duration 1m --grace 2m --conversations 9 --processes 3 --seed -7 --workers"
    argv += " --threshold a --threshold b --abort-on-fail --json j --html h --junit x --markdown m.md"
    assert options(*argv.split()) == Options(
        target="t",
        stream=True,
        params={"max_tokens": 64, "model": "m"},
        stamp="s",
        scenarios=("a", "b"),
        rate_per_s=5.0,
        arrivals="poisson",
        duration_s=60.0,
        grace_s=120.0,
        conversations=9,
        processes=3,
        workers=True,
        seed=-7,
        thresholds=("a", "b"),
        json="j",
        html="h",
        abort_on_fail=True,
        junit="x",
        markdown="m.md",
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("2m", 120), ("1h", 3600), ("500ms", 0.5), ("1m30s", 90), ("1.5s", 1.5), (".5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert options(*TARGET, *SAID, "--users", "1", "--duration", text).duration_s == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "soon", "-3s", "3 s", "3d", "3s4", "1e3s", "0s", "3S", "nan"])
def test_durations_that_are_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "duration" in refused(capsys, *TARGET, *SAID, "--users", "1", f"--duration={text}")


def test_a_number_without_a_unit_is_asked_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "write 30s" in refused(capsys, *TARGET, *SAID, "--users", "1", "--duration", "30")
    assert "write 20/s" in refused(capsys, *TARGET, *SAID, "--rate", "20", "--duration", "3s")


@pytest.mark.parametrize(("text", "per_s"), [("20/s", 20), ("300/m", 5), ("7200/h", 2), ("0.5/s", 0.5)])
def test_rates(text: str, per_s: float) -> None:
    assert options(*TARGET, *SAID, "--rate", text, "--duration", "3s").rate_per_s == pytest.approx(per_s)


@pytest.mark.parametrize("text", ["", "/s", "20/", "20/d", "-1/s", "0/s", "fast", "20 /s"])
def test_rates_that_are_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "rate" in refused(capsys, *TARGET, *SAID, f"--rate={text}", "--duration", "3s")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64", 64),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ('["a"]', ["a"]),
        ("gpt-4o", "gpt-4o"),
        ('"64"', "64"),
        ("", ""),
        ("a=b", "a=b"),
    ],
)
def test_a_parameter_is_json_if_it_parses_and_text_otherwise(text: str, value: Any) -> None:
    assert options(*GOOD, "--param", f"stop={text}").params == {"stop": value}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([*SAID, *LOAD], "--url URL --preset NAME, or --target NAME"),
        ([*TARGET, "--target", "t", *SAID, *LOAD], "--target stands instead of --url"),
        (["--url", "http://a", *SAID, *LOAD], "which API it speaks: one of "),
        (["--preset", "openai-chat", *SAID, *LOAD], "add --url"),
        ([*TARGET, *LOAD], "--prompt TEXT or --scenario NAME"),
        ([*TARGET, *SAID, "--scenario", "x", *LOAD], "not both"),
        ([*TARGET, "--prompt", " ", *LOAD], "--prompt is empty"),
        ([*TARGET, *SAID, "--duration", "3s"], "--users N or --rate"),
        ([*TARGET, *SAID, *LOAD, "--rate", "1/s"], "not both"),
        ([*TARGET, *SAID, "--users", "3"], "--duration 30s or --conversations N"),
        ([*TARGET, *SAID, "--users", "0", "--duration", "3s"], "0 needs --stages"),
        ([*TARGET, *SAID, "--rate", "0/s", "--duration", "3s"], "0 needs --stages"),
        ([*GOOD, "--stages", "10s:5"], "leave --duration out"),
        ([*TARGET, *SAID, "--users", "0", "--stages", "10s"], "not a stage"),
        ([*TARGET, *SAID, "--users", "0", "--stages", "10:5"], "has no unit"),
        ([*TARGET, *SAID, "--rate", "1/s", "--duration", "3s", "--start-jitter", "1s"], "is for --users"),
        ([*GOOD, "--overrides", "/nowhere.json"], "No such file"),
        ([*GOOD, "--overrides", "/dev/null"], "is not JSON"),
        ([*GOOD, "--arrivals", "poisson"], "give --rate"),
        ([*GOOD, "--arrivals", "bursty"], "constant"),
        ([*GOOD, "--param", "max_tokens"], "key=value"),
        ([*GOOD, "--model", "a", "--param", "model=b"], "'model' is given twice"),
        ([*GOOD, "--json", ""], "--json needs the name of a file"),
        ([*GOOD, "--html", "-"], "--html - is not possible"),
        ([*GOOD, "--junit", "-"], "--junit - is not possible"),
        ([*GOOD, "--markdown", ""], "--markdown needs the name of a file"),
        ([*GOOD, "--json", "-", "--markdown", "-"], "would mix on stdout"),
        ([*GOOD, "--abort-on-fail"], "--abort-on-fail needs something to fail"),
        ([*GOOD, "--user", "3"], "--user"),
        ([*GOOD, "extra"], "extra"),
        ([*GOOD, "--seed"], "--seed"),
        ([*GOOD, "--seed", "x"], "whole number"),
        ([*GOOD, "--processes", "0"], "whole number from 1"),
        ([*TARGET, *SAID, "--users", "many", "--duration", "3s"], "whole number from 1"),
        ([*TARGET, *SAID, "--users", "1", "--conversations", "0"], "whole number from 1"),
    ],
)
def test_misuse_costs_one_line_that_says_what_to_do(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, *argv)
