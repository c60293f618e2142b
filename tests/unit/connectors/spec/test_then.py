"""Turns of several requests: what has no effect is refused by its name, and every rule for requests holds for them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import SpecError, TargetSpec, parse_target_spec
from connectors.target import CompiledTarget

FETCH = {"name": "fetch", "url": "/jobs/{{ saved.job }}"}
UNTIL = {"path": "done"}


def made(then: list[dict[str, Any]], **fields: Any) -> TargetSpec:
    data = {"name": "t", "protocol": "http", "url": "http://h", "response": {"text": "a"}, "secrets": {"key": "k"}}
    return parse_target_spec({**data, "then": then, **fields})


@pytest.mark.parametrize(
    ("then", "fields", "says_what"),
    [
        ([], {"request": {"save": {"job": "id"}}}, "request.save has no effect without `then`"),
        ([FETCH], {"protocol": "websocket"}, "then has no effect: with protocol websocket"),
        ([FETCH, FETCH], {}, "then: each request needs a name of its own"),
        ([FETCH | {"name": "request"}], {}, "then: each request needs a name of its own, other than request"),
        ([FETCH | {"until": UNTIL}], {"protocol": "sse"}, "then.fetch.until: the answer of protocol sse is a stream"),
        ([FETCH | {"save": {"a": "b"}}], {}, "then.fetch.save has no effect"),
        ([FETCH | {"read": "sse"}], {}, "then.fetch.read has no effect"),
        ([FETCH | {"expect": [202]}], {}, "then.fetch.expect has no effect"),
        ([FETCH | {"per": "run"}], {}, "then[0].per"),
        ([FETCH | {"every_s": 1}], {}, "every_s has no effect"),
        ([FETCH | {"name": f"n{i}"} for i in range(9)], {}, "then"),
        ([FETCH | {"url": "/{{ secret.key }}"}], {}, "then.fetch.url: a secret cannot stand in a path"),
        ([FETCH | {"headers": {"Host": "{{ secret.key }}"}}], {}, "then.fetch.headers.Host: a secret cannot stand"),
        (
            [FETCH | {"body": "{{ secret.key }}"}],
            {"codec": {"request": [{"name": "gzip"}]}},
            "gzip cannot pack a body with a secret",
        ),
        (
            [FETCH | {"method": "POST", "encoding": "form", "body": {"a": "{{ secret.key }}"}}],
            {"codec": {"request": [{"name": "base64"}]}},
            "encoded twice",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(then: list[dict[str, Any]], fields: dict[str, Any], says_what: str) -> None:
    with pytest.raises(SpecError) as caught:
        made(then, **fields)
    assert says_what in str(caught.value)


@pytest.mark.parametrize(
    ("part", "says_what"),
    [
        ({"url": "ftp://h/x"}, "then.fetch.url: 'ftp://h/x' is neither a path"),
        ({"url": "/{{ nonsense }}"}, "then.fetch.url"),
        ({"url": "/{{ params.missing }}"}, "then.fetch.url"),
        ({"until": {"path": "a["}}, "then.fetch.until"),
    ],
)
def test_what_cannot_be_compiled_is_refused_before_anything_is_sent(part: dict[str, Any], says_what: str) -> None:
    with pytest.raises(SpecError) as caught:
        CompiledTarget(made([FETCH | part]))
    assert says_what in str(caught.value)


def test_a_target_leads_to_the_origins_of_all_its_requests() -> None:
    spec = made([FETCH | {"url": "https://other.example/x", "headers": {"Host": "third.example"}}])
    assert spec.own_origins() == ("http://h:80", "https://other.example:443", "https://third.example:443")


def test_a_secret_that_only_these_requests_name_is_missed_by_its_name() -> None:
    target = CompiledTarget(made([FETCH | {"headers": {"X-Key": "{{ secret.of_jobs }}"}}]))
    assert target.unset_secrets == ("of_jobs",)


def test_parts_see_the_params_of_their_conversation() -> None:
    spec = made([FETCH | {"url": "/{{ params.model }}"}], params={"model": "one"})
    target = CompiledTarget(spec, params_vary=True).with_params({"model": "two"})
    assert target.then is not None
    context: dict[str, Any] = {"saved": {}, "session": {}}
    target.render(context)
    assert target.then.asks[0].request(context).request.path == "/two"
