"""The list of allowed targets: which origins a line stands for, and which places of a target it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.origins import origin_of
from policy.hosts import allowed, parse
from policy.limits import Limits
from policy.targets import NotAllowedError, check_target
from tests.support.runs import target


@pytest.mark.parametrize(
    ("line", "url", "is_allowed"),
    [
        ("api.example.org", "https://api.example.org/v1", True),
        ("api.example.org", "http://API.example.org./v1", True),
        ("api.example.org", "https://api.example.org:8443/v1", False),
        ("api.example.org", "https://evil.org/api.example.org", False),
        ("api.example.org:8443", "https://api.example.org:8443", True),
        ("api.example.org:8000-8100", "https://api.example.org:8100", True),
        ("api.example.org:8000-8100", "https://api.example.org:8101", False),
        ("https://api.example.org", "http://api.example.org", False),
        ("https://api.example.org", "wss://api.example.org", True),
        ("*.example.org", "https://a.b.example.org", True),
        ("*.example.org", "https://example.org", False),
        ("*.example.org", "https://badexample.org", False),
        ("*:*", "http://127.0.0.1:81", True),
        ("*", "http://127.0.0.1:81", False),
        ("10.20.0.0/16:*", "http://10.20.3.4:9000", True),
        ("10.20.0.0/16:*", "http://10.21.3.4:9000", False),
        ("10.20.0.0/16:*", "http://ten.example.org:9000", False),
        ("127.0.0.1:80", "http://127.1", True),
        ("127.0.0.1:80", "http://0x7f000001", True),
        ("*.0.0.1", "http://127.0.0.1", False),
        ("[2001:db8::/32]:443", "https://[2001:db8::7]", True),
        ("[2001:db8::/32]:443", "https://[2001:db9::7]", False),
        ("bücher.example", "https://xn--bcher-kva.example", True),
        ("# all\n\n", "https://x.example", False),
    ],
)
def test_a_line_stands_for_origins(line: str, url: str, is_allowed: bool) -> None:
    assert allowed(parse(line), origin_of(url)) is is_allowed


@pytest.mark.parametrize(
    "line",
    ["a b", "ftp://x", "x:0", "x:99999", "x:9-8", "https://x/p", "*.*.org", "x*y", "http://", "u@x", "x" * 20_001],
)
def test_a_line_that_is_none_is_refused_with_a_sentence(line: str) -> None:
    with pytest.raises(ValueError, match=r"is no|none of|more than|at most|is not|it has|holds"):
        parse(line)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, None),
        ({"url": "http://bot.example:9/v1"}, "the target's address: the policy does not allow http://bot.example:9"),
        ({"url": "http://127.0.0.2:9/v1"}, "does not allow http://127.0.0.2:9"),
        ({"overrides": {"proxy": {"url": "http://proxy.example:3128"}}}, "its proxy: the policy does not allow"),
        ({"overrides": {"follow_redirects": True}}, "follow_redirects: hosts have to be allowed"),
        ({"overrides": {"handshake": {"steps": [{"name": "login", "url": "/login"}]}}}, None),
        ({"overrides": {"handshake": {"steps": [{"name": "login", "url": ""}]}}}, None),
        (
            {"overrides": {"handshake": {"steps": [{"name": "login", "url": "https://id.example/t"}]}}},
            "handshake step 'login': the policy does not allow https://id.example:443",
        ),
        (
            {"overrides": {"handshake": {"steps": [{"name": "login", "url": "{{ params.model }}/t"}]}}},
            "handshake step 'login': the host that it leads to",
        ),
        ({"overrides": {"then": [{"name": "fetch", "url": "/jobs/{{ saved.job }}"}]}}, None),
        (
            {"overrides": {"then": [{"name": "fetch", "url": "https://jobs.example/7"}]}},
            "request of `then` 'fetch': the policy does not allow https://jobs.example:443",
        ),
        (
            {"overrides": {"then": [{"name": "fetch", "url": "{{ saved.location }}"}]}},
            "request of `then` 'fetch': the host that it leads to is only known during a run",
        ),
        ({"overrides": {"request": {"headers": {"host": "127.0.0.1:9"}}}}, None),
        (
            {"overrides": {"request": {"headers": {"Host": "bot.example"}}}},
            "request.headers.Host: the policy does not allow http://bot.example:80",
        ),
        (
            {"overrides": {"request": {"headers": {"host": "{{ params.model }}"}}}},
            "request.headers.host: the host that it leads to",
        ),
        (
            {"overrides": {"models": {"path": "/m", "pick": "@", "headers": {"Host": "bot.example"}}}},
            "models.headers.Host: the policy does not allow http://bot.example:80",
        ),
        (
            {
                "overrides": {
                    "handshake": {"steps": [{"name": "login", "url": "/x", "headers": {"Host": "id.example"}}]}
                }
            },
            "handshake.login.headers.Host: the policy does not allow http://id.example:80",
        ),
    ],
)
def test_every_place_of_a_target_has_to_be_listed(more: dict[str, Any], says: str | None) -> None:
    limits = Limits(targets=parse("127.0.0.1:9"))
    if says is None:
        check_target(target(**more), limits)
        return
    with pytest.raises(NotAllowedError, match=says):
        check_target(target(**more), limits)
    check_target(target(**more), Limits())
