"""What a target may say about HTTP/2, and what has no effect."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.http.endpoint import endpoint_of
from connectors.spec import SpecError, build_target_spec


def built(**overrides: Any) -> Any:
    return build_target_spec(name="t", url="http://bot:8080/v1", preset="openai-chat", stream=True, overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "streams"),
    [
        ({}, 0),
        ({"http": {"version": "1.1"}}, 0),
        ({"http": {"version": "2"}}, 100),
        ({"http": {"version": "2", "streams_per_connection": 7}}, 7),
        ({"http": {"version": "2", "streams_per_connection": 7}, "reuse_connections": False}, 1),
    ],
)
def test_how_many_streams_a_connection_carries(overrides: dict[str, Any], streams: int) -> None:
    spec = built(**overrides)
    assert endpoint_of(spec).streams == streams


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"http": {"version": "3"}}, "http.version"),
        ({"http": {"streams_per_connection": 7}}, "no effect over HTTP/1.1"),
        ({"http": {"version": "2", "streams_per_connection": 0}}, "streams_per_connection"),
        ({"http": {"version": "2"}, "protocol": "websocket"}, "http.version: protocol websocket has HTTP/1.1 only"),
        ({"http": {"version": "2"}, "request": {"headers": {"Connection": "close"}}}, "request.headers.Connection"),
    ],
)
def test_what_has_no_effect_is_refused_by_its_name(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        built(**overrides)


def test_only_the_targets_own_origin_is_known_to_speak_it() -> None:
    endpoint = endpoint_of(built(http={"version": "2"}))
    found = [endpoint.at(*place).streams for place in (("http", "bot:8080"), ("https", "bot:8080"), ("http", "other"))]
    assert found == [100, 0, 0]
