"""Options of `burn` that look for the capacity: what they make of the load, and what is said of them."""

from __future__ import annotations

import pytest

from runs.engine.spec import ClosedLoad, Load, OpenLoad
from tests.unit.tokenburn_site.test_burn_options import SAID, TARGET, options
from tokenburn_site.burn.errors import BadUsage
from tokenburn_site.burn.flags.search import before
from tokenburn_site.burn.parts import build_load

FIND = ["--find-capacity", "ttft_ms.p95<800 and error_rate<1%"]


def load_of(*argv: str) -> Load:
    return build_load(options(*TARGET, *SAID, *argv))


def test_a_search_begins_with_the_loads_own_level() -> None:
    users = load_of(*FIND, "--users", "20", "--settle", "0s", "--measure", "4s", "--highest", "300", "--lowest", "5")
    assert isinstance(users, ClosedLoad) and users.search is not None and users.users == 20
    search = users.search
    assert (search.low, search.high, search.settle_s, search.measure_s) == (5, 300, 0, 4)
    assert search.conditions == ("ttft_ms.p95<800 and error_rate<1%",)
    rate = load_of(
        *FIND, "--rate", "2/s", "--precision", "5%", "--highest", "90/m", "--lowest", "0.5/s", "--rate", "1/s"
    )
    assert isinstance(rate, OpenLoad) and rate.search is not None and rate.rate_per_s == 1
    assert (rate.search.low, rate.search.high, rate.search.precision) == (0.5, 1.5, 0.05)


def test_a_search_that_says_no_level_begins_with_one_user() -> None:
    load = load_of(*FIND)
    assert isinstance(load, ClosedLoad) and load.users == 1


def test_the_duration_of_a_search_is_the_longest_that_it_may_take() -> None:
    load = load_of(*FIND, "--users", "20", "--duration", "10m")
    assert load.duration_s == 600
    assert before(load).endswith("ends after 10 min 00 s")


def test_a_sweep_holds_users_or_rates() -> None:
    users = load_of("--sweep", "10,20,50", "--hold", "8s")
    assert isinstance(users, ClosedLoad) and users.sweep is not None
    assert (users.users, users.peak, users.duration_s, users.sweep.settled_s) == (10, 50, 24, 2)
    rates = load_of("--sweep", "5/s,600/m", "--settle", "3s", *FIND)
    assert isinstance(rates, OpenLoad) and rates.sweep is not None
    assert (rates.sweep.levels, rates.sweep.settled_s, rates.duration_s) == ((5, 10), 3, 40)
    assert rates.sweep.conditions == tuple(FIND[1:]) and rates.search is None
    assert before(rates) == "sweep: 2 levels of 20 s, 40 s in all"


def test_how_long_it_takes_is_said_before() -> None:
    said = before(load_of(*FIND, "--users", "10", "--highest", "80", "--precision", "10%"))
    assert said == (
        "search: from 10 users, up to 80; 18 s a level, mostly at most 10 levels (3 min 00 s); ends after 6 min 00 s"
    )
    assert before(load_of("--users", "5", "--duration", "3s")) == ""


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--find-capacity", "tftt_ms.p95<8"], "--find-capacity: threshold 'tftt_ms.p95<8': no metric"),
        ([*FIND, "--users", "5", "--highest", "3"], "not between its low 1 and its high 3"),
        ([*FIND, "--users", "5", "--highest", "3/s"], "--highest: this load's levels are not of that kind"),
        ([*FIND, "--rate", "5/s", "--lowest", "3"], "give a rate, such as 20/s"),
        ([*FIND, "--users", "5", "--warm-up", "3s"], "leave out warm_up_s"),
        ([*FIND, "--users", "5", "--stages", "3s:9"], "a search has no stages"),
        ([*FIND, "--users", "5", "--precision", "60%"], "is not a share up to a half"),
        ([*FIND, "--users", "5", "--hold", "9s"], "--hold is for --sweep"),
        (["--users", "5", "--duration", "9s", "--settle", "9s"], "--settle is for --find-capacity"),
        (["--sweep", "5,6", "--users", "5"], "leave --users out"),
        (["--sweep", "5,6", "--duration", "5s"], "leave --duration out"),
        (["--sweep", "5,6", *FIND, "--measure", "5s"], "--measure is for --find-capacity without --sweep"),
        (["--sweep", "5,6/s"], "has users and rates"),
        (["--sweep", "5,x"], "'x' is not a whole number from 1"),
        (["--sweep", "5,6", "--hold", "1s"], "sweep.hold_s"),
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
