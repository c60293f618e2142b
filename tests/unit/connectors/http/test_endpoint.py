"""Endpoints: where a target's connections lead, those of its handshake and redirects too, and through which proxy."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.http.endpoint import Endpoint, endpoint_of
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget


def endpoint(url: str, **overrides: Any) -> Endpoint:
    spec = build_target_spec(name="t", url=url, preset="openai-chat", params={"model": "m"}, overrides=overrides)
    return endpoint_of(spec)


@pytest.mark.parametrize(
    ("url", "origin", "host", "port"),
    [
        ("http://bot.example/v1", "http://bot.example", "bot.example", 80),
        ("https://Bot.example:8443/v1", "https://Bot.example:8443", "bot.example", 8443),
        ("wss://bot.example", "https://bot.example", "bot.example", 443),
        ("http://[::1]:81", "http://[::1]:81", "::1", 81),
    ],
)
def test_it_is_what_the_url_says(url: str, origin: str, host: str, port: int) -> None:
    found = endpoint(url)
    assert (found.origin, found.host, found.port) == (origin, host, port)


def test_another_place_keeps_limits_and_certificates() -> None:
    here = endpoint("https://bot.example", timeouts={"connect": 7}, limits={"event_bytes": 5}, tls={"ca_file": "/ca"})
    there = here.at("http", "login.example:81")
    assert (there.host, there.port, there.tls, there.host_header) == ("login.example", 81, False, "login.example:81")
    assert (there.timeouts, there.limits, there.tls_spec) == (here.timeouts, here.limits, here.tls_spec)


def test_each_place_has_its_own_way_through_the_proxy() -> None:
    proxy = {"url": "http://proxy.example:3128", "no_proxy": ["login.example"]}
    here = endpoint("http://bot.example", proxy=proxy)
    assert here.proxy is not None
    assert (here.proxy.host, here.proxy.port) == ("proxy.example", 3128)
    assert here.via is not None
    assert here.via.prefix == "http://bot.example"
    assert here.at("https", "bot.example").via is None, "TLS goes through a tunnel"
    assert here.at("http", "login.example").proxy is None
    assert here.at("http", "login.example").via is None


def test_an_empty_secret_is_none_that_a_redirect_must_keep_back() -> None:
    spec = build_target_spec(
        name="t",
        url="http://bot.example",
        preset="openai-chat",
        params={"model": "m"},
        secrets={"api_key": "", "b": "s"},
    )
    assert CompiledTarget(spec).secrets == ["s"]
