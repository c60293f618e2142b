"""The options of `burn` that say who the users are: what they become in the load, and the one line otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs.load.profile import parse_load
from tests.unit.tokenburn_site.cli.options.test_burn_options import GOOD, SAID, TARGET, options, refused


def people(*argv: str) -> dict[str, Any]:
    found: dict[str, Any] = dict(options(*GOOD, *argv).load).get("user_profile", {})
    parse_load({"kind": "closed", "users": 2, "duration_s": 3, "user_profile": found})
    return found


def test_without_them_the_load_says_nothing_of_people() -> None:
    assert people() == {}


def test_every_option_has_its_place_in_the_load(tmp_path: Path) -> None:
    file = tmp_path / "model_filter.txt"
    file.write_text("# Embedding models\ntext-embedding-*\n\n# Expensive\ngpt-4-32k\n", encoding="utf-8")
    argv = f"--models all --exclude-models {file} --temperature 0.5..1.0 --first-messages 20%:1-3"
    argv += " --conversations-per-user 3"
    argv += " --think 1s..3s --reading-wpm 250 --typing-wpm 40 --think-max 30s --patience lognormal:10s,5s"
    argv += " --patience-until done --impatient resend --impatient-share 30% --resends 2"
    assert people(*argv.split()) == {
        "models_from_target": True,
        "exclude": ["text-embedding-*", "gpt-4-32k"],
        "temperature": [0.5, 1.0],
        "first_messages": {"share": 0.2, "low": 1, "high": 3},
        "conversations_per_user": 3,
        "think": {
            "pause_s": {"kind": "uniform", "low": 1.0, "high": 3.0},
            "reading_wpm": 250.0,
            "typing_wpm": 40.0,
            "max_s": 30.0,
        },
        "patience": {
            "within_s": {"kind": "lognormal", "mean": 10.0, "sd": 5.0},
            "until": "done",
            "then": "resend",
            "share": 0.3,
            "times": 2,
        },
    }


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ("--models small,large", {"models": ["small", "large"]}),
        ("--temperature 0.7", {"temperature": [0.7, 0.7]}),
        ("--first-messages 0.5:2", {"first_messages": {"share": 0.5, "low": 2, "high": 2}}),
        ("--think 2s", {"think": {"pause_s": {"mean": 2.0}}}),
        ("--think 0..4s", {"think": {"pause_s": {"kind": "uniform", "low": 0.0, "high": 4.0}}}),
        ("--think exponential:5s", {"think": {"pause_s": {"kind": "exponential", "mean": 5.0}}}),
        ("--patience normal:5s,500ms", {"patience": {"within_s": {"kind": "normal", "mean": 5.0, "sd": 0.5}}}),
    ],
)
def test_each_way_of_writing_them(argv: str, found: dict[str, Any]) -> None:
    assert people(*argv.split()) == found


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--models a,,b", "is not a list of models"),
        ("--models a,a", "is not a list of models"),
        ("--exclude-models /nowhere", "No such file"),
        ("--temperature 1..0.5", "--temperature: give the lower and the higher bound, from 0 to 100"),
        ("--temperature hot", "is not a range"),
        ("--first-messages 20%", "not of the form 20%:1-3"),
        ("--first-messages 0%:1-3", "is not a share"),
        ("--conversations-per-user 0", "is not a whole number from 1"),
        ("--think 2", "has no unit"),
        ("--think lognormal:5s", "is not a time or distribution"),
        ("--think 4s..1s", "is not a time or distribution"),
        ("--reading-wpm 0", "is not a speed"),
        ("--think-max 3s", "--think-max limits a pause"),
        ("--impatient resend", "--patience is missing: --impatient needs it"),
        ("--patience 3s --resends 2", "--resends applies only to --impatient resend"),
        ("--patience 3s --impatient-share 120%", "--impatient-share: must be less than or equal to 1"),
        ("--models a,b --model c", "give --model or --models, not both"),
        ("--temperature 0.5 --param temperature=1", "give --temperature or --param temperature=, not both"),
    ],
)
def test_each_misuse_is_one_line(argv: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in refused(capsys, *GOOD, *argv.split())


@pytest.mark.parametrize(
    ("value", "whole", "count"),
    [("5x", "(of", 0), ("lognormal:5x,2s", "(of 'lognormal:5x,2s')", 1), ("1s..5x", "(of '1s..5x')", 1)],
)
def test_an_error_says_a_value_once(value: str, whole: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(capsys, *GOOD, "--think", value)
    assert "'5x' is not a duration" in text
    assert text.count("'5x'") == 1
    assert text.count(whole) == count


def test_what_needs_another_option_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "f"
    file.write_text("a\n", encoding="utf-8")
    assert "--exclude-models has no models to exclude from: give --models" in refused(
        capsys, *GOOD, "--exclude-models", str(file)
    )
    rate = [*TARGET, *SAID, "--rate", "5/s", "--duration", "3s", "--conversations-per-user", "2"]
    assert "--conversations-per-user applies only to --users" in refused(capsys, *rate)
