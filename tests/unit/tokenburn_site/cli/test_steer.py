"""`manage.py load` and `manage.py stop`: one line and an exit code."""

from __future__ import annotations

import logging
from contextlib import suppress

import pytest
from django.core.management import call_command

from runs.models import Run, RunStatus
from tests.integration.web import made_up
from tests.support.runs import a_run

pytestmark = pytest.mark.django_db


def typed(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = 0
    try:
        call_command(*argv)
    except SystemExit as exc:
        code = int(exc.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("load", "RUN"), "load: one of the arguments --users --rate --speed is required; see load --help"),
        (("load", "RUN", "--users", "9", "--rate", "5/s"), "--rate: not allowed with argument --users"),
        (("load", "RUN", "--rate", "5"), "'5' has no unit: write 5/s or 5/m"),
        (("load", "RUN", "--rate", "5/s"), "load: the load of this run is set by users, not by rate_per_s"),
        (("load", "RUN", "--users", "9"), "is queued: only a running load can be changed"),
        (("load", "4711", "--users", "9"), "load: there is no run 4711 in this database"),
        (("load", "RUN", "--users", "x"), "'x' is not a whole number from 0"),
        (("load", "x", "--users", "9"), "'x' is not a whole number from 1"),
        (("load", "9" * 30, "--users", "9"), f"load: there is no run {'9' * 30} in this database"),
        (("stop", "9" * 30), f"stop: there is no run {'9' * 30} in this database"),
        (("stop", "0"), "'0' is not a whole number from 1"),
        (("stop", "4711"), "stop: there is no run 4711 in this database"),
        (("stop",), "stop: the following arguments are required: RUN; see stop --help"),
    ],
)
def test_an_error_prints_one_line_and_exits_2(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], says: str
) -> None:
    run = a_run()
    code, out, err = typed(capsys, *(str(run.pk) if word == "RUN" else word for word in argv))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_run_is_stopped_once(capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up.run(RunStatus.RUNNING)
    code, out, err = typed(capsys, "stop", str(run.pk))
    assert (code, out, err) == (0, f"run {run.pk} is stopping; its report is ready within seconds\n", "")
    assert Run.objects.get().reason.startswith("stopped by ")
    code, out, err = typed(capsys, "stop", str(run.pk))
    assert (code, out) == (2, "")
    assert err.endswith("there is nothing to stop\n")


@pytest.mark.parametrize("argv", [("load", "4711", "--users", "9"), ("stop", "4711"), ("panic", "--status")])
def test_what_is_logged_after_a_command_of_this_process_is_as_before(argv: tuple[str, ...]) -> None:
    noisy = logging.getLogger("runs.live_stream")
    noisy.setLevel(logging.INFO)
    with suppress(SystemExit):
        call_command(*argv)
    after = noisy.level
    noisy.setLevel(logging.NOTSET)
    assert after == logging.INFO
