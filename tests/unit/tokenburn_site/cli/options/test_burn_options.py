"""What `burn` understands, and the one line it says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from tokenburn_site.cli.errors import EXIT_USAGE, BadUsage
from tokenburn_site.cli.options.burn_options import Options, check
from tokenburn_site.cli.options.parser import add_options, new_parser
from tokenburn_site.cli.request.parts import build_load

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
        build_load(options(*argv))
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
        url="http://127.0.0.1:1/v1",
        preset="openai-chat",
        prompt="hello",
        load={"kind": "closed", "users": 2, "duration_s": 3.0},
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
        load={
            "kind": "open",
            "rate_per_s": 5.0,
            "arrivals": "poisson",
            "duration_s": 60.0,
            "grace_s": 120.0,
            "conversations": 9,
        },
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
    assert options(*TARGET, *SAID, "--users", "1", "--duration", text).load["duration_s"] == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "soon", "-3s", "3 s", "3d", "3s4", "1e3s", "0s", "3S", "nan"])
def test_durations_that_are_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "duration" in refused(capsys, *TARGET, *SAID, "--users", "1", f"--duration={text}")


def test_a_number_without_a_unit_is_asked_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "write 30s" in refused(capsys, *TARGET, *SAID, "--users", "1", "--duration", "30")
    assert "write 20/s" in refused(capsys, *TARGET, *SAID, "--rate", "20", "--duration", "3s")


@pytest.mark.parametrize(("text", "per_s"), [("20/s", 20), ("300/m", 5), ("7200/h", 2), ("0.5/s", 0.5)])
def test_rates(text: str, per_s: float) -> None:
    assert options(*TARGET, *SAID, "--rate", text, "--duration", "3s").load["rate_per_s"] == pytest.approx(per_s)


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
        ([*TARGET, "--target", "t", *SAID, *LOAD], "--target replaces --url"),
        (["--url", "http://a", *SAID, *LOAD], "needs an API dialect: add --preset with one of "),
        (["--preset", "openai-chat", *SAID, *LOAD], "add --url"),
        ([*TARGET, *LOAD], "--prompt TEXT or --scenario NAME"),
        ([*TARGET, *SAID, "--scenario", "x", *LOAD], "give only one of"),
        ([*TARGET, "--prompt", " ", *LOAD], "--prompt is empty"),
        ([*TARGET, *SAID, "--duration", "3s"], "give --users N, --rate"),
        ([*TARGET, *SAID, *LOAD, "--rate", "1/s"], "not both"),
        ([*TARGET, *SAID, "--users", "3"], "no end: give --duration, --stages or --conversations"),
        (
            [*TARGET, *SAID, "--users", "0", "--duration", "3s"],
            "no load: give at least one user in --users, or in --stages",
        ),
        (
            [*TARGET, *SAID, "--rate", "0/s", "--duration", "3s"],
            "no load: give a rate above zero in --rate, or in --stages",
        ),
        ([*GOOD, "--stages", "10s:5"], "leave --duration out"),
        ([*TARGET, *SAID, "--users", "0", "--stages", "10s"], "not a stage"),
        ([*TARGET, *SAID, "--users", "0", "--stages", "10:5"], "has no unit"),
        (
            [*TARGET, *SAID, "--rate", "1/s", "--duration", "3s", "--start-jitter", "1s"],
            "--start-jitter applies only to a closed loop, and this is an open loop",
        ),
        ([*GOOD, "--overrides", "/nowhere.json"], "No such file"),
        ([*GOOD, "--overrides", "/dev/null"], "is not JSON"),
        ([*GOOD, "--arrivals", "poisson"], "--arrivals applies only to an open loop, and this is a closed loop"),
        ([*GOOD, "--arrivals", "bursty"], "constant"),
        ([*GOOD, "--param", "max_tokens"], "key=value"),
        ([*GOOD, "--model", "a", "--param", "model=b"], "'model' is given twice"),
        ([*GOOD, "--json", ""], "--json is empty"),
        ([*GOOD, "--html", "-"], "--html cannot write to stdout"),
        ([*GOOD, "--junit", "-"], "--junit cannot write to stdout"),
        ([*GOOD, "--markdown", ""], "--markdown is empty"),
        ([*GOOD, "--json", "-", "--markdown", "-"], "cannot both write to stdout"),
        ([*GOOD, "--find-capacity", "error_rate<5"], "write 5% (or 0.05)"),
        ([*GOOD, "--abort-on-fail"], "--abort-on-fail needs a threshold"),
        ([*GOOD, "--user", "3"], "--user"),
        ([*GOOD, "extra"], "extra"),
        ([*GOOD, "--seed"], "--seed"),
        ([*GOOD, "--seed", "x"], "whole number"),
        ([*GOOD, "--processes", "0"], "whole number from 1"),
        (
            [*TARGET, *SAID, "--users", "many", "--duration", "3s"],
            "'many' is not a whole number from 0",
        ),
        ([*TARGET, *SAID, "--users", "1", "--conversations", "0"], "whole number from 1"),
    ],
)
def test_misuse_costs_one_line_that_says_what_to_do(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refused(capsys, *argv)
