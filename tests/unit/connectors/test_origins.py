"""Origins in one spelling, and where a target's secrets may go by its own definition."""

from __future__ import annotations

import pytest

from connectors.origins import check_origin, origin_of, origins_of
from connectors.spec import SpecError, build_target_spec


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Api.Example.org/v1?x=1", "https://api.example.org:443"),
        ("http://10.0.0.5", "http://10.0.0.5:80"),
        ("wss://bot.example.org:8443/chat", "https://bot.example.org:8443"),
        ("grpc://[::1]:50051", "http://[::1]:50051"),
        ("https://bücher.example.", "https://xn--bcher-kva.example:443"),
        ("socks5h://Proxy.example", "http://proxy.example:1080"),
        ("unix:/run/Bot.sock", "unix:/run/Bot.sock"),
    ],
)
def test_an_origin_has_one_spelling(url: str, origin: str) -> None:
    assert origin_of(url) == origin
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("api.example.org", "https://", "ftp://x:21", "https://api.example.org/path", "https://u:p@api.example.org"),
        *("https://api.example.org:0", "https://api.example.org:99999", "https://a.example\n.org", "https://*:443"),
        *("https://api.example.org:443?x", "unix:run/bot.sock", "unix:/run/../bot.sock", "unix://run/bot.sock"),
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)origin|host|port|control|socket"):
        check_origin(text)


def test_templates_and_paths_have_no_origin() -> None:
    urls = ["/token", "https://{{ saved.host }}/x", "https://idp.example/{{ saved.x }}", "https://idp.example/y"]
    assert origins_of(urls) == ("https://idp.example:443",)


def test_a_target_names_origins_itself() -> None:
    step = {"name": "token", "url": "https://login.example.net/token"}
    spec = build_target_spec(
        name="bot",
        url="wss://bot.example.org/chat",
        preset="generic-websocket",
        overrides={
            "handshake": {"steps": [step, {"name": "here", "url": "/here"}]},
            "proxy": {"url": "http://proxy:3128"},
            "request": {"headers": {"Host": "tenant.example.org"}},
        },
    )
    assert spec.own_origins() == (
        "https://bot.example.org:443",
        "https://login.example.net:443",
        "https://tenant.example.org:443",
        "http://proxy:3128",
    )
    assert spec.secret_origins is None


def test_overrides_cannot_say_where_secrets_go() -> None:
    overrides = {"secret_origins": ["http://evil.example:80"]}
    with pytest.raises(SpecError, match="overrides: secret_origins cannot be set here"):
        build_target_spec(name="bot", url="http://bot.example", preset="generic-json", overrides=overrides)


def test_origins_go_to_the_engine_and_not_into_a_stored_run() -> None:
    spec = build_target_spec(
        name="bot",
        url="http://bot.example",
        preset="generic-json",
        secrets={"api_key": "sk-1234"},
        secret_origins=["HTTP://Bot.Example"],
    )
    assert spec.wire_dict()["secret_origins"] == ("http://bot.example:80",)
    assert "secret_origins" not in spec.frozen_dict()
