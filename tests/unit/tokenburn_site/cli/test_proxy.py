"""Which proxy a command uses, and its message about it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from connectors.spec import TargetSpec, build_target_spec
from tests.support.services import reserve_port
from tokenburn_site.cli.burn.main import _check_reachable
from tokenburn_site.cli.errors import BadUsage, CannotRun
from tokenburn_site.cli.proxy import with_proxy

BOTH = {"HTTP_PROXY": "http://plain:3128", "https_proxy": "http://secure:3128"}


def target(url: str = "http://bot.example/v1", **overrides: object) -> TargetSpec:
    return build_target_spec(name="t", url=url, preset="openai-chat", overrides=overrides, secrets={"api_key": "k"})


@pytest.mark.parametrize(
    ("url", "environ", "named"),
    [
        ("http://bot.example", BOTH, "HTTP_PROXY is set and not used"),
        ("https://bot.example", BOTH, "https_proxy is set and not used"),
        ("http://bot.example", {"ALL_PROXY": "socks5://x:1"}, "ALL_PROXY is set and not used"),
        ("https://bot.example", {"HTTP_PROXY": "http://plain:3128"}, ""),
        ("http://a.bot.example", {**BOTH, "NO_PROXY": "localhost, .bot.example"}, ""),
        ("http://bot.example", {"HTTP_PROXY": ""}, ""),
        ("http://bot.example", {}, ""),
    ],
)
def test_without_the_option_none_is_used_and_that_is_said(url: str, environ: Mapping[str, str], named: str) -> None:
    reached = with_proxy(target(url), None, environ)
    assert reached.target.proxy is None
    assert reached.note.startswith(named) and bool(reached.note) is bool(named)


def test_a_proxy_of_the_target_itself_is_said() -> None:
    reached = with_proxy(target(proxy={"url": "http://own:1"}), None, BOTH)
    assert reached.note.startswith("connections go through the proxy http://own:1")
    unused = with_proxy(target(proxy={"url": "http://own:1", "no_proxy": ["bot.example"]}), None, {})
    assert unused.note == ""


def test_the_option_names_one() -> None:
    reached = with_proxy(target(), "http://given:3128/", BOTH)
    assert reached.target.proxy is not None and reached.target.proxy.url == "http://given:3128"
    assert "http://given:3128" in reached.note
    assert reached.target.secrets["api_key"].get_secret_value() == "k"


def test_env_takes_the_one_of_the_scheme_with_its_credentials_as_secrets() -> None:
    environ = {"HTTPS_PROXY": "http://ada:p%40w@secure:3128/", "NO_PROXY": "login.example"}
    reached = with_proxy(target("https://bot.example"), "env", environ)
    proxy = reached.target.proxy
    assert proxy is not None and (proxy.url, proxy.no_proxy) == ("http://secure:3128", ["login.example"])
    known = {name: value.get_secret_value() for name, value in reached.target.secrets.items()}
    assert known == {"api_key": "k", "proxy_user": "ada", "proxy_password": "p@w"}
    assert "p@w" not in str(reached.target.frozen_dict()) + reached.note
    bare = with_proxy(target(), "env", {"http_proxy": "plain:3128"}).target.proxy
    assert bare is not None and bare.url == "http://plain:3128"


def test_env_and_no_proxy() -> None:
    reached = with_proxy(target(), "env", {**BOTH, "no_proxy": "*"})
    assert reached.target.proxy is None and "NO_PROXY" in reached.note


@pytest.mark.parametrize(
    ("option", "environ", "says"),
    [
        ("env", {}, "neither HTTP_PROXY nor ALL_PROXY is set"),
        ("env", {"ALL_PROXY": "socks4://x:1"}, "http://host:port"),
        ("socks4://x:1", {}, "http://host:port"),
        ("http://ada:pw@x:1", {}, "proxy_user"),
    ],
)
def test_what_cannot_be_used_is_refused(option: str, environ: Mapping[str, str], says: str) -> None:
    with pytest.raises(BadUsage, match=says) as caught:
        with_proxy(target(), option, environ)
    assert "pw@" not in str(caught.value)


def test_a_target_that_is_not_reached_is_said_with_the_proxy_that_is_not_used() -> None:
    away = target(f"http://127.0.0.1:{reserve_port()}")
    note = with_proxy(away, None, BOTH).note
    with pytest.raises(CannotRun, match=r"connect_refused.*HTTP_PROXY is set and not used"):
        _check_reachable(away, note)
