"""Who the people of a run are, settled before it is recorded: their models, and that the target takes what they ask."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import build_target_spec
from runs.models import Run
from runs.planning.errors import RequestError
from runs.services import request_adhoc_run
from tests.integration.connectors.scripted import says, scripted
from tests.support.runs import SECRET, a_run, talk

pytestmark = pytest.mark.django_db
LOAD: dict[str, Any] = {"kind": "closed", "users": 2, "duration_s": 5}
LIST = {"data": [{"id": "small"}, {"id": "large"}, {"id": "text-embedding-3"}]}


def run_of(people: dict[str, Any], url: str = "http://127.0.0.1:9", preset: str = "openai-chat") -> Run:
    target = build_target_spec(name="t", url=f"{url}/v1", preset=preset, secrets={"api_key": SECRET})
    load = {**LOAD, "user_profile": people}
    return request_adhoc_run(target=target, scenarios=[(1.0, talk())], load=load, local=True)


def refusal(people: dict[str, Any], **more: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        run_of(people, **more)
    assert "\n" not in str(caught.value)
    assert not Run.objects.exists()
    return caught.value


def test_the_frozen_load_has_the_models_that_the_target_listed() -> None:
    with scripted(lambda _: says(LIST)) as target:
        run = run_of({"models_from_target": True, "exclude": ["*embed*"]}, url=target.url)
        assert target.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert run.load["user_profile"]["models"] == ["large", "small"]
    assert run.load["user_profile"]["models_from_target"] is False
    assert run.load["user_profile"]["exclude"] == []


def test_named_models_lose_those_that_are_excluded() -> None:
    run = run_of({"models": ["a", "b-embed"], "exclude": ["*embed*"]})
    assert run.load["user_profile"]["models"] == ["a"]


def test_without_people_nothing_is_asked() -> None:
    with scripted(lambda _: says(LIST)) as target:
        a_run(url=f"{target.url}/v1")
        assert target.requests == []


@pytest.mark.parametrize(
    ("people", "preset", "words"),
    [
        ({"models": ["a"]}, "generic-json", "user_profile.models: 'model': the target's request has no such parameter"),
        ({"models_from_target": True}, "azure-openai", "user_profile.models: 'model': the target's request"),
        ({"temperature": [0, 1]}, "nuc", "user_profile.temperature: 'temperature': the target's request has no such"),
    ],
)
def test_what_a_target_does_not_take_cannot_be_drawn(people: dict[str, Any], preset: str, words: str) -> None:
    error = refusal(people, preset=preset)
    assert error.code == "load_invalid"
    assert words in str(error)


def test_a_list_that_cannot_be_had_is_one_line_without_secrets() -> None:
    with scripted(lambda _: says({"error": {"message": f"no: {SECRET}"}}, "401 Unauthorized")) as target:
        error = refusal({"models_from_target": True}, url=target.url)
    assert error.code == "models_unavailable"
    assert str(error).startswith("the target's list of models: http_401: no: ***: the target requires credentials")


def test_exclusions_may_not_leave_nothing() -> None:
    with scripted(lambda _: says(LIST)) as target:
        error = refusal({"models_from_target": True, "exclude": ["*"]}, url=target.url)
    assert (error.code, str(error)) == (
        "models_unavailable",
        "none of the target's 3 models is left after the exclusions",
    )


def test_nobody_listens() -> None:
    assert "connect_refused" in str(refusal({"models_from_target": True}))
