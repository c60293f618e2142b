"""Secrets, parameters, files and advice: how `burn` processes its options before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.spec import build_target_spec
from metrics.report.earlier_reports import present_report
from scenarios.render.walk import check_scenario
from tokenburn_site.cli import advice, secrets
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.report.outputs import check_writable
from tokenburn_site.cli.request.parts import Parts, adhoc_target, build_load, run_request


def test_secrets_come_from_the_environment_by_name() -> None:
    environ = {"TOKENBURN_SECRET_API_KEY": "k", "TOKENBURN_SECRET_ORG": "", "OTHER": "x", "TOKENBURN_SECRET_": "y"}
    assert secrets.from_environment(environ) == {"api_key": "k"}


def test_djangos_own_key_never_becomes_a_targets_secret() -> None:
    assert secrets.from_environment({"TOKENBURN_SECRET_KEY": "signing key"}) == {}


LOAD = {"kind": "closed", "users": 4, "duration_s": 2.0}


def options(**given: Any) -> Options:
    defaults: dict[str, Any] = {"url": "http://127.0.0.1:1/v1", "preset": "openai-chat", "load": LOAD}
    return Options(**{**defaults, **given})


def test_a_target_has_its_parameters_stamp_and_secrets() -> None:
    spec = adhoc_target(options(params={"model": "m"}, stream=True, stamp="t"), {"api_key": "k"})
    assert (spec.protocol, spec.params["model"], spec.response.stamp) == ("sse", "m", "t")
    assert spec.secrets["api_key"].get_secret_value() == "k"


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(BadUsage, match=r"unknown preset 'opnai': choose one of .*openai-chat"):
        adhoc_target(options(preset="opnai"), {})


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host/", "http://", "http://host:99999/"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(BadUsage, match="not a URL"):
        adhoc_target(options(url=url), {})


def test_a_parameter_that_no_request_would_carry_is_refused() -> None:
    with pytest.raises(BadUsage, match=r"--param max_token: .*max_tokens"):
        adhoc_target(options(params={"max_token": 64}), {})


@pytest.mark.parametrize(
    ("params", "secrets", "lacks"),
    [
        ({}, {}, "--param course_id=C1, TOKENBURN_SECRET_API_KEY in the environment, TOKENBURN_SECRET_PASSPHRASE in"),
        ({"course_id": "C1"}, {"api_key": "k"}, "the preset needs TOKENBURN_SECRET_PASSPHRASE in the environment: see"),
    ],
)
def test_what_a_preset_lacks_is_named_with_where_to_give_it(
    params: dict[str, str], secrets: dict[str, str], lacks: str
) -> None:
    with pytest.raises(BadUsage) as refused:
        adhoc_target(options(preset="nuc", params=params), secrets)
    assert lacks in str(refused.value)


def test_overrides_are_laid_over_the_preset() -> None:
    spec = adhoc_target(options(overrides={"timeouts": {"total": 7}, "request": {"path": "/ask"}}), {})
    assert (spec.timeouts.total, spec.request.path, spec.request.method) == (7, "/ask", "POST")
    with pytest.raises(BadUsage, match=r"timeouts\.total"):
        adhoc_target(options(overrides={"timeouts": {"total": -7}}), {})


def test_loads() -> None:
    assert build_load(options(load={**LOAD, "conversations": 9})).model_dump(exclude_defaults=True) == {
        "users": 4,
        "duration_s": 2.0,
        "conversations": 9,
    }
    with pytest.raises(BadUsage, match="--grace: must be greater than or equal to 0"):
        build_load(options(load={**LOAD, "grace_s": -1}))


def problems(given: Options) -> dict[str, str]:
    said = check_scenario({"name": "s", "steps": [{"do": "say", "text": "Hello"}]})
    return run_request(given, Parts(adhoc_target(given, {}), [(1.0, said)], build_load(given))).problems()


def test_more_processes_than_users_are_refused() -> None:
    assert "give at most 4" in problems(options(processes=5))["load"]


def test_a_threshold_that_does_not_parse_is_named() -> None:
    said = problems(options(thresholds=("e2e_ms.p95<9", "ttft<500")))["thresholds"]
    assert "ttft<500" in said
    assert "did you mean 'ttft_ms.p95<500'" in said


def test_files_that_cannot_be_written_are_found_before_the_run(tmp_path: Path) -> None:
    check_writable(options(json=str(tmp_path / "a.json"), html=str(tmp_path / "a.html")))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BadUsage, match="does not exist: create it"):
        check_writable(options(json=str(tmp_path / "none" / "a.json")))
    with pytest.raises(BadUsage, match="is a folder"):
        check_writable(options(html=str(tmp_path)))
    with pytest.raises(BadUsage, match="the same file"):
        check_writable(options(html=str(tmp_path / "a"), json=f"{tmp_path}/./a"))
    with pytest.raises(BadUsage, match="--json and --markdown name the same file"):
        check_writable(options(markdown=str(tmp_path / "a"), json=f"{tmp_path}/./a", junit=str(tmp_path / "b")))
    with pytest.raises(BadUsage, match=r"--junit .* is a folder"):
        check_writable(options(junit=str(tmp_path)))
    check_writable(options(json="-", markdown="a"))


OPENAI = build_target_spec(name="t", url="http://127.0.0.1:1", preset="openai-chat").frozen_dict()


@pytest.mark.parametrize(
    ("reason", "errors", "says"),
    [
        ("http_401: bad key", {"http_401": 9}, "set TOKENBURN_SECRET_API_KEY in the environment"),
        ("http_404: not found", {"http_404": 9}, "check --url"),
        ("no turn succeeded; http_503, 4 of 4 failures", {"http_503": 4}, "it is overloaded"),
        ("no turn succeeded; first_byte_timeout, 4 of 5", {"first_byte_timeout": 4}, "overloaded"),
    ],
)
def test_a_failure_says_what_to_do(reason: str, errors: dict[str, int], says: str) -> None:
    line = advice.failure(reason, present_report({"run": {}, "errors": errors}), OPENAI, stored=False)
    assert line.startswith(reason)
    assert says in line


def test_a_reason_that_says_what_to_do_is_left_alone() -> None:
    reason = "0 of 1 shards found a worker within 60 s: start a load worker or fewer processes"
    assert (
        advice.failure(reason, present_report({"run": {}, "errors": {"http_401": 1}}), OPENAI, stored=False) == reason
    )


def test_advice_for_a_stored_target_points_to_its_page() -> None:
    assert "check the secrets of the target 't'" in advice.advice("http_403", OPENAI, stored=True)
