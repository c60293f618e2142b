"""What is said of a plan's load that looks for a capacity, wherever it is given as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError, build_target_spec
from policy.limits import UNLIMITED
from runs.load.budget import Budget
from runs.load.profile import parse_load
from runs.planning.errors import RequestError
from runs.planning.run_request import RunRequest
from runs.supervisor.ticks import _watched
from tests.support.runs import a_run, talk, target

SEARCH = {"kind": "closed", "users": 5, "search": {"conditions": ["e2e_ms.p95<800 and error_rate<1%"]}}


def with_conditions(*conditions: str) -> dict[str, Any]:
    return {**SEARCH, "search": {"conditions": list(conditions)}}


def problems(load: dict[str, Any], processes: int = 1) -> dict[str, str]:
    return RunRequest(target(), [(1.0, talk())], load, processes=processes, limits=UNLIMITED).problems()


def test_a_search_and_a_sweep_may_stand_in_a_plan() -> None:
    sweep = {"kind": "open", "sweep": {"levels": [1, 2], "conditions": ["error_rate<1%"]}}
    assert problems(SEARCH, 2) == problems(sweep) == {}


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (with_conditions("tftt_ms.p95<8"), "no metric is called 'tftt_ms'"),
        (with_conditions("ttft_ms.p95<8 and error_rate"), "threshold 'error_rate'"),
        ({"kind": "open", "sweep": {"levels": [1, 2], "conditions": ["nonsense"]}}, "threshold 'nonsense'"),
        ({**SEARCH, "warm_up_s": 3}, "leave load.warm_up_s out"),
        ({"kind": "closed", "sweep": {"levels": "many"}}, "sweep.levels"),
    ],
)
def test_what_is_wrong_with_it_is_one_line_about_the_load(load: dict[str, Any], says: str) -> None:
    found = problems(load)
    assert list(found) == ["load"] and says in found["load"] and "\n" not in found["load"]


@pytest.mark.django_db
def test_a_run_with_a_condition_that_does_not_parse_is_refused() -> None:
    with pytest.raises(RequestError, match="no metric is called 'tftt_ms'") as caught:
        a_run(1, parse_load(with_conditions("tftt_ms.p95<8")))
    assert caught.value.code == "threshold_invalid"
    with pytest.raises(SpecError, match=r"leave load\.warm_up_s out"):
        parse_load({**SEARCH, "warm_up_s": 3})


def test_a_search_is_not_aborted_for_a_level_of_nothing_but_errors() -> None:
    assert _watched(SEARCH | {"budget": {"errors": 9}}) == Budget(errors=9, no_success_timeout_s=None)
    assert _watched({"kind": "closed"}).no_success_timeout_s is not None


@pytest.mark.parametrize(
    ("attached", "preset", "says"),
    [
        ({"generate": "png", "bytes": 200}, "openai-chat", ""),
        ({"generate": "png", "bytes": 200}, "rasa-rest", "takes no attachments"),
        ({"generate": "wav", "bytes": 200}, "anthropic-messages", "kind audio, only image, text, file"),
    ],
)
def test_a_scenario_whose_attachments_the_target_cannot_take_is_refused(
    attached: dict[str, Any], preset: str, says: str
) -> None:
    scenario = talk() | {"steps": [{"do": "say", "text": "Look", "attachments": [attached]}]}
    load = {"kind": "closed", "users": 1, "duration_s": 1}
    given = build_target_spec(name="shop", url="http://127.0.0.1:9", preset=preset, secrets={"api_key": "k"})
    found = RunRequest(given, [(1.0, scenario)], load, limits=UNLIMITED).problems()
    assert (list(found) == ["scenarios"] and says in found["scenarios"]) if says else found == {}
