"""Options of `burn` that look for the capacity: their effect on the load, and their messages."""

from __future__ import annotations

import pytest

from runs.load.profile import ClosedLoad, Load, OpenLoad
from tests.unit.tokenburn_site.cli.options.test_burn_options import SAID, TARGET, options
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.search import before
from tokenburn_site.cli.request.parts import build_load

FIND = ["--find-capacity", "ttft_ms.p95<800 and error_rate<1%"]


def load_of(*argv: str) -> Load:
    return build_load(options(*TARGET, *SAID, *argv))


def test_a_search_begins_with_the_loads_own_level() -> None:
    users = load_of(*FIND, "--users", "20", "--settle", "0s", "--measure", "4s", "--max-load", "300", "--min-load", "5")
    assert isinstance(users, ClosedLoad) and users.search is not None and users.users == 20
    search = users.search
    assert (search.low, search.high, search.settle_s, search.measure_s) == (5, 300, 0, 4)
    assert search.conditions == ("ttft_ms.p95<800 and error_rate<1%",)
    rate = load_of(
        *FIND, "--rate", "2/s", "--precision", "5%", "--max-load", "90/m", "--min-load", "0.5/s", "--rate", "1/s"
    )
    assert isinstance(rate, OpenLoad) and rate.search is not None and rate.rate_per_s == 1
    assert (rate.search.low, rate.search.high, rate.search.precision) == (0.5, 1.5, 0.05)


def test_a_search_that_says_no_level_begins_with_one_user() -> None:
    load = load_of(*FIND)
    assert isinstance(load, ClosedLoad) and load.users == 1


def test_the_duration_of_a_search_is_the_longest_that_it_may_take() -> None:
    load = load_of(*FIND, "--users", "20", "--duration", "10m")
    assert load.duration_s == 600
    assert before(load).endswith("ends after 10 min")


def test_a_sweep_holds_users_or_rates() -> None:
    users = load_of("--sweep", "10,20,50", "--step-duration", "8s")
    assert isinstance(users, ClosedLoad) and users.sweep is not None
    assert (users.users, users.peak, users.duration_s, users.sweep.settled_s) == (10, 50, 24, 2)
    rates = load_of("--sweep", "5/s,600/m", "--settle", "3s", *FIND)
    assert isinstance(rates, OpenLoad) and rates.sweep is not None
    assert (rates.sweep.levels, rates.sweep.settled_s, rates.duration_s) == ((5, 10), 3, 40)
    assert rates.sweep.conditions == tuple(FIND[1:]) and rates.search is None
    assert before(rates) == "sweep: 2 levels of 20 s, 40 s in all"


def test_how_long_it_takes_is_said_before() -> None:
    said = before(load_of(*FIND, "--users", "10", "--max-load", "80", "--precision", "10%"))
    assert said == (
        "search: from 10 users, up to 80; 18 s a level, usually at most 10 levels (3 min); ends after 6 min"
    )
    assert before(load_of("--users", "5", "--duration", "3s")) == ""


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--find-capacity", "tftt_ms.p95<8"], "--find-capacity: threshold 'tftt_ms.p95<8': no metric"),
        ([*FIND, "--users", "5", "--max-load", "3"], "not between --min-load 1 and --max-load 3"),
        ([*FIND, "--users", "5", "--max-load", "3/s"], "--max-load: this load's levels are not of that kind"),
        ([*FIND, "--rate", "5/s", "--min-load", "3"], "give a rate, such as 20/s"),
        (
            [*FIND, "--users", "5", "--warm-up", "3s"],
            "--find-capacity sets its own levels and times: leave --warm-up out",
        ),
        ([*FIND, "--users", "5", "--stages", "3s:9"], "--find-capacity has no stages: leave --stages out"),
        ([*FIND, "--users", "5", "--precision", "60%"], "--precision: must be less than or equal to 0.5"),
        ([*FIND, "--users", "5", "--step-duration", "9s"], "--sweep is missing: --step-duration needs it"),
        (["--users", "5", "--duration", "9s", "--settle", "9s"], "--find-capacity is missing: --settle needs it"),
        (["--sweep", "5,6", "--users", "5"], "leave --users out"),
        (["--sweep", "5,6", "--duration", "5s"], "leave --duration out"),
        (["--sweep", "5,6", *FIND, "--measure", "5s"], "--sweep measures its own levels: leave --measure out"),
        (["--sweep", "5,6/s"], "has users and rates"),
        (["--sweep", "5,x"], "'x' is not a whole number from 1"),
        (["--sweep", "5,6", "--step-duration", "1s"], "--step-duration: must be greater than or equal to 3"),
    ],
)
def test_what_makes_no_sense_is_one_line(capsys: pytest.CaptureFixture[str], argv: list[str], says: str) -> None:
    try:
        load_of(*argv)
    except BadUsage as exc:
        line = str(exc)
    except SystemExit:
        line = capsys.readouterr().err.removesuffix("\n")
    else:
        pytest.fail(f"{argv} was accepted")
    assert says in line and "\n" not in line
