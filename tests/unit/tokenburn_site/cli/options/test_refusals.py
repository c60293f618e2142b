"""What is wrong with a load has one wording, with fields as the API calls them, or options on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError
from runs.load.profile import parse_load
from tests.unit.tokenburn_site.cli.options.test_burn_options import SAID, TARGET, options
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import spelled
from tokenburn_site.cli.request.parts import build_load

USERS = {"kind": "closed", "users": 3, "duration_s": 3}
RATE = {"kind": "open", "rate_per_s": 3, "duration_s": 3}
SEARCH = {"conditions": ["error_rate<1%"]}
SAME: dict[str, tuple[str, dict[str, Any], str]] = {
    "0 users": (
        "--users 0 --duration 3s",
        {**USERS, "users": 0},
        "no load: give at least one user in --users, or in --stages",
    ),
    "no rate": (
        "--rate 0/s --duration 3s",
        {**RATE, "rate_per_s": 0},
        "no load: give a rate above zero in --rate, or in --stages",
    ),
    "no end": (
        "--users 3",
        {"kind": "closed", "users": 3},
        "no end: give --duration, --stages or --conversations",
    ),
    "temperature": (
        "--users 3 --duration 3s --temperature 2..1",
        {**USERS, "user_profile": {"temperature": [2, 1]}},
        "--temperature: give the lower and the higher bound, from 0 to 100",
    ),
    "cost without prices": (
        "--users 3 --duration 3s --max-cost 5",
        {**USERS, "budget": {"cost": 5}},
        "--max-cost needs prices per million tokens: add --price",
    ),
    "conversations per user with a rate": (
        "--rate 3/s --duration 3s --conversations-per-user 2",
        {**RATE, "user_profile": {"conversations_per_user": 2}},
        "--conversations-per-user applies only to --users: each arrival is one conversation",
    ),
    "a search beside a sweep": (
        "--sweep 1,2 --measure 5s",
        {"kind": "closed", "sweep": {"levels": [1, 2]}, "search": {"measure_s": 5}},
        "--sweep measures its own levels: leave --measure out",
    ),
    "a search with a warm-up": (
        "--users 3 --find-capacity error_rate<1% --warm-up 3s",
        {"kind": "closed", "users": 3, "search": SEARCH, "warm_up_s": 3},
        "--find-capacity sets its own levels and times: leave --warm-up out",
    ),
    "a limit of the model": (
        "--users 3 --duration 3s --patience 3s --impatient resend --resends 11",
        {**USERS, "user_profile": {"patience": {"within_s": {"mean": 3}, "then": "resend", "times": 11}}},
        "--resends: must be less than or equal to 10",
    ),
    "a field that needs another": (
        "--users 3 --duration 3s --impatient resend",
        {**USERS, "user_profile": {"patience": {"then": "resend"}}},
        "--patience is missing: --impatient needs it",
    ),
    "a field of another kind": (
        "--rate 3/s --duration 3s --start-jitter 1s",
        {**RATE, "start_jitter_s": 1},
        "--start-jitter applies only to a closed loop, and this is an open loop: leave --start-jitter out",
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_one_wording_names_the_fields_of_each_door(name: str) -> None:
    argv, load, says = SAME[name]
    with pytest.raises(SpecError) as of_api:
        parse_load(load)
    with pytest.raises(BadUsage) as of_burn:
        build_load(options(*TARGET, *SAID, *argv.split()))
    assert str(of_burn.value) == spelled(str(of_api.value)) == says
    assert "--" not in str(of_api.value)
    assert "load." in str(of_api.value)
