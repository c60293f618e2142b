"""Where a target's secrets may stand."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.codecs import CODECS
from connectors.spec import SpecError, TargetSpec, build_target_spec, load_preset, preset_names
from connectors.spec.secret_places import OWN_CODECS

KEY = "{{ secret.key }}"


def target(overrides: dict[str, Any], preset: str = "generic-json") -> TargetSpec:
    return build_target_spec(name="bot", url="http://bot.example", preset=preset, overrides=overrides)


def body(*codecs: dict[str, Any], key: str = KEY) -> dict[str, Any]:
    return {"request": {"body": {"k": key}}, "codec": {"request": list(codecs)}}


def aes(key: str) -> dict[str, Any]:
    return {"name": "aes-gcm", "options": {"key": key}}


@pytest.mark.parametrize(
    "overrides",
    [
        {"request": {"headers": {"x-a": f"a {KEY}", "Cookie": f"k={KEY}; b={KEY}"}}},
        {"request": {"headers": {"Authorization": "Basic {{ (params.user ~ ':' ~ secret.key) | b64encode }}"}}},
        {"request": {"path": "/v1/{{ params.a }}?key=" + KEY}},
        {"request": {"body": {"a": ["{{ {'k': secret.key} }}", f"x {KEY}"]}}},
        {"request": {"body": "user=a&password={{ secret.key | urlencode }}"}},
        {"models": {"path": "/models?key=" + KEY, "pick": "data", "headers": {"x": KEY}}},
        {
            "handshake": {
                "steps": [{"name": "s", "url": "/t?key=" + KEY, "when": KEY, "headers": {"a": KEY}, "body": KEY}]
            }
        },
        {"handshake": {"steps": [{"name": "s", "url": "https://idp.example/t?key=" + KEY}]}},
        {"params": {"shown": KEY}},
        body(aes(KEY), {"name": "base64"}),
        body({"name": "json-field", "options": {"field": "d"}}, {"name": "base64"}),
        body({"name": "someones-own", "options": {"token": f"a{KEY}"}}),
        {"codec": {"response": [{"name": "cryptojs-aes", "options": {"passphrase": "{{ saved.k or secret.key }}"}}]}},
        {"codec": {"request": [{"name": "aes-cbc", "options": {"key": KEY, "iv": KEY}}]}},
    ],
)
def test_a_secret_may_stand_in_what_is_sent(overrides: dict[str, Any]) -> None:
    assert target(overrides)


NOT_THERE = "a secret cannot stand in"


@pytest.mark.parametrize(
    ("overrides", "where", "why"),
    [
        ({"request": {"path": f"/{KEY}/chat"}}, "request.path", NOT_THERE),
        ({"request": {"path": "{{ '/x?' ~ secret.key }}"}}, "request.path", NOT_THERE),
        ({"request": {"path": "/{{ 'x?' }}" + KEY}}, "request.path", NOT_THERE),
        ({"request": {"event": KEY}}, "request.event", NOT_THERE),
        ({"request": {"headers": {"Host": KEY}}}, "request.headers.Host", NOT_THERE),
        ({"request": {"headers": {"x-a": "{{ [secret.key] }}"}}}, "request.headers.x-a", "a header takes a text"),
        ({"request": {"body": "a {{ [secret.key] }}"}}, "request.body", "put tojson behind it"),
        ({"handshake": {"steps": [{"name": "s", "url": KEY}]}}, "handshake.s.url", NOT_THERE),
        (
            {"handshake": {"steps": [{"name": "s", "url": f"https://{KEY}.evil.example/"}]}},
            "handshake.s.url",
            NOT_THERE,
        ),
        (
            {"handshake": {"steps": [{"name": "s", "url": "/", "when": "{{ secret.key == 'a' }}"}]}},
            "s.when",
            "comparison",
        ),
        ({"models": {"path": f"/{KEY}", "pick": "data"}}, "models.path", NOT_THERE),
        ({"standing": {"path": f"/{KEY}"}}, "standing.path", NOT_THERE),
        ({"socketio": {"hello": {"event": KEY}}}, "socketio.hello.event", NOT_THERE),
        ({"socketio": {"auth": {"a": "{{ secret.key | reverse }}"}}}, "socketio.auth.a", "the filter reverse"),
        ({"request": {"body": {"a": [{"b": "{{ secret.key[0] }}"}]}}}, "request.body.a[0].b", "taken out of a secret"),
        ({"codec": {"request": [{"name": "json-field", "options": {"field": KEY}}]}}, "options.field", NOT_THERE),
        ({"codec": {"request": [aes(f"a{KEY}")]}}, "options.key", "with nothing joined to it"),
        ({"codec": {"request": [aes("{{ secret.key | b64encode }}")]}}, "options.key", "with nothing joined to it"),
        (
            {"codec": {"request": [{"name": "aes-cbc", "options": {"key": "00", "iv": KEY}}]}},
            "options.iv",
            "the iv only",
        ),
        (body({"name": "gzip"}), "codec.request", "its size would tell"),
        (body({"name": "someones-own"}, {"name": "gzip"}), "codec.request", "its size would tell"),
        (body(aes("00" * 16)), "codec.request", "only with a key that is a secret"),
        (body(aes("{{ saved.k }}")), "codec.request", "only with a key that is a secret"),
        (body({"name": "base64"}, {"name": "base64"}), "codec.request", "encoded twice"),
        (body({"name": "base64"}, key="{{ secret.key | b64encode }}"), "codec.request", "encoded twice"),
    ],
)
def test_it_may_stand_nowhere_else(overrides: dict[str, Any], where: str, why: str) -> None:
    with pytest.raises(SpecError) as refused:
        target(overrides)
    assert where in str(refused.value)
    assert why in str(refused.value)
    assert refused.value.by_field.keys() == {"overrides"}


def test_many_long_expressions_are_refused_soon() -> None:
    long = "{{ secret.key" + " ~ 'x'" * 1000 + " }}"
    with pytest.raises(SpecError, match="more than 20,000 characters in all"):
        target({"request": {"body": [long] * 10}})


def test_the_codecs_that_are_known_are_the_built_in_ones() -> None:
    assert CODECS.keys() == OWN_CODECS


@pytest.mark.parametrize("name", preset_names())
def test_presets_use_secrets_as_they_may(name: str) -> None:
    preset = load_preset(name)
    url = "http://bot.example"
    for stream in {False, "stream" in preset}:
        assert build_target_spec(name="bot", url=url, preset=name, stream=stream).protocol
