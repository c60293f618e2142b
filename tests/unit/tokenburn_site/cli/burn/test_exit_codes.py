"""The table of exit codes in docs/burn.md, the help and the code agree, for every way in which a run can end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runs.models import Run, RunStatus
from tokenburn_site.cli import errors
from tokenburn_site.cli.burn.outcome import verdict
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.options.parser import new_parser

PAGE = Path(__file__).resolve().parents[5] / "docs" / "burn.md"
CODES = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
MISSED = {"expr": "ttft_ms.p95<500", "value": 612.0, "passed": False}


def table() -> dict[int, str]:
    section = PAGE.read_text(encoding="utf-8").partition("### Exit codes")[2].partition("\n#")[0]
    return {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)}


def test_the_page_and_the_help_list_every_code_and_no_other() -> None:
    assert table().keys() == CODES
    listed = new_parser("burn").format_help().partition("exit codes:")[2]
    assert {int(code) for code in re.findall(r"(?:^|\s)(\d+) ", listed)} == CODES


@pytest.mark.parametrize(
    ("status", "reason", "missed", "interrupted", "word"),
    [
        (RunStatus.COMPLETED, "", False, False, "Done"),
        (RunStatus.COMPLETED, "", True, False, "threshold missed"),
        (RunStatus.STOPPED, "budget: tokens: the limit is reached", False, False, "budget"),
        (RunStatus.STOPPED, "stopped by ann", False, False, "`manage.py stop`"),
        (RunStatus.STOPPED, "stopped by ann", True, False, "stopped from elsewhere"),
        (RunStatus.STOPPED, "its worker was shut down", False, False, "the end of its worker"),
        (RunStatus.ABORTED, "budget: errors: 20 turns failed, the budget allows 20", False, False, "aborted"),
        (RunStatus.ABORTED, "threshold: ttft_ms.p95<500 is 612, after 9 s", True, False, "--abort-on-fail"),
        (RunStatus.FAILED, "its engine was killed", False, False, "failed"),
        (RunStatus.STOPPED, "interrupted", False, True, "Interrupted"),
    ],
)
def test_the_page_says_of_each_end_what_its_code_means(
    status: RunStatus, reason: str, missed: bool, interrupted: bool, word: str
) -> None:
    thresholds = [MISSED] if missed else []
    run = Run(pk=7, status=status, reason=reason, target_spec={}, report={"thresholds": thresholds, "errors": {}})
    code, _ = verdict(run, Options(), interrupted=interrupted)
    assert word in table()[code]


def test_the_page_says_what_a_target_that_stopped_answering_exits_with() -> None:
    report = {"thresholds": [], "errors": {}, "verdict": {"reasons": ["stopped_answering: for 9 s"]}}
    run = Run(pk=7, status=RunStatus.COMPLETED, target_spec={}, report=report)
    code, _ = verdict(run, Options(), interrupted=False)
    assert "stopped answering" in table()[code]


@pytest.mark.parametrize(("error", "word"), [(errors.BadUsage, "Bad usage"), (errors.CannotRun, "could not begin")])
def test_the_page_says_what_a_run_that_did_not_begin_exits_with(error: type[errors.BurnError], word: str) -> None:
    assert word in table()[error.exit_code]
