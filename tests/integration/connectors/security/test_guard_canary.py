"""No trick with a URL, a name, a redirect or a proxy leads a connector of any protocol to an address that is not
allowed: a listener on loopback, the canary, is never connected to."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.security.guard import AllowPrivate
from connectors.spec import SpecError, TargetSpec
from tests.hostile.table import whole
from tests.integration.connectors.lanes import LANES, PRESETS, Client, make_spec
from tests.integration.connectors.scripted import scripted
from tests.integration.connectors.security.canary import Canary

PROTOCOLS = tuple(PRESETS)
HTTP_STYLES = ("http", "sse", "ndjson")
SCHEMES = {"websocket": "ws", "grpc": "grpc"}
NOT_DIALLED = {"address_blocked", "dns_failed", "request_invalid", "spec"}
FRONT = "127.0.0.2"
ONLY_FRONT = (f"{FRONT}/32",)
"""The administrator's leave for one address, from which a target may try to lead to another."""

LOOPBACK = (  # noqa: SIM905 - a list of as many strings is not readable
    "127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 017700000001 0x7f000001 0x7f.1 0x7f.0.0.1 0177.0.0.1 "
    "0177.0.0.01 0x7F.0x0.0x0.0x1 127.0.0.01 127.000.000.001 00000177.1 127.0x0.1 0 0.0.0.0 00 0x0 "
    "[::1] [0:0:0:0:0:0:0:1] [0000::0001] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:7f00:0001] [::ffff:0:7f00:1] "
    "[::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::] "
    "[2002:7f00:0001::1] [2001:0:7f00:1::80ff:fffe] [fe80::5efe:7f00:1] [2001:db8::5efe:7f00:1] [::1%lo] [::1%25lo] "
    "[fe80::1%lo] [fe80::1%25eth0] 127.0.0.1. 127.1. localhost LOCALHOST localhost. LocalHost "
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460 \uff11\uff12\uff17.\uff10.\uff10.\uff11 127\u30020\u30020\u30021 "
    "127\uff0e0\uff0e0\uff0e1 127\uff610\uff610\uff611 \u0661\u0662\u0667.0.0.1 "
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3 "
    "loc%61lhost %31%32%37.0.0.1 127.0.0.1%00 127.0.0.1%20 0x7f000001. "
    "loopback.example dotted.example. cname.example"
).split()
"""Hosts that mean the loopback address to somebody."""
WHOLE = (
    "{scheme}://public.example@127.0.0.1:{port}/",
    "{scheme}://public.example:80@127.0.0.1:{port}/",
    "{scheme}://127.0.0.1:{port}#@public.example/",
    "{scheme}://127.0.0.1:{port}\\@public.example/",
    "{scheme}://public.example\\@127.0.0.1:{port}/",
    "{scheme}://127.0.0.1:{port}?@public.example/",
    "{scheme}://127.0.0.1:{port};public.example/",
    "{scheme}:\\\\127.0.0.1:{port}/",
    "{scheme}:///127.0.0.1:{port}/",
    "{scheme}:127.0.0.1:{port}",
    "//127.0.0.1:{port}/",
    "{scheme}://127.0.0.1 :{port}/",
    "{scheme}://127.0.0.1\t:{port}/",
    "{scheme}://\n127.0.0.1:{port}/",
    "{scheme}://[127.0.0.1]:{port}/",
    "{scheme}://[::1]@127.0.0.1:{port}/",
    "{scheme}://::1:{port}/",
    "file://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "unix:///var/run/docker.sock",
)
METADATA = (  # noqa: SIM905 - as above
    "169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.1.1 [::ffff:169.254.169.254] [fe80::1] "
    "[fd00:ec2::254] 100.100.100.200 168.63.129.16 192.0.0.192 [fd20:ce::254] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::] "
    "0.0.0.0 [::] 224.0.0.1 255.255.255.255 metadata.example"
).split()
NAMES = {
    "loopback.example": ["127.0.0.1"],
    "dotted.example.": ["127.0.0.1"],
    "cname.example": ["10.0.0.1", "::1", "127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "localhost": ["::1", "127.0.0.1"],
    "localhost.": ["::1", "127.0.0.1"],
}

lanes = pytest.mark.parametrize("lane", LANES)
every = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    made = Canary()
    with socket.create_connection(("::1", made.port)), socket.create_connection(("127.0.0.1", made.port)):
        assert made.hits() == 2, "the canary does not sing"
    yield made
    made.close()


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Sequence[str]]]:
    """Answers from NAMES, no network. What a test puts into the returned table comes first, an answer a look-up."""
    rounds: dict[str, list[Sequence[str]]] = {}
    real = socket.getaddrinfo

    def fake(host: Any, port: Any, flags: int = 0, **kwargs: Any) -> Any:
        try:
            return real(host, port, flags=flags | socket.AI_NUMERICHOST, **kwargs)
        except OSError:
            if flags & socket.AI_NUMERICHOST:
                raise
        try:
            name = str(host).encode("idna").decode().lower()
        except UnicodeError:
            name = str(host)
        found = rounds[name].pop(0) if rounds.get(name) else NAMES.get(name, [])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [row for text in found for row in real(text, port, flags=socket.AI_NUMERICHOST, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return rounds


def codes(
    lane: Lane, protocol: str, url: str, allow: AllowPrivate, turns: int = 1, **overrides: Any
) -> list[str | None]:
    """The code of each turn; "spec" if the target cannot even be described."""
    try:
        spec = make_spec(protocol, url, **overrides)
        client = Client(lane, spec, allow_private=allow)
    except (SpecError, ValueError):
        return ["spec"]
    with client:
        return [client.say().code for _ in range(turns)]


def test_there_are_enough_tricks() -> None:
    assert len(set(LOOPBACK)) + len(set(WHOLE)) >= 60


@lanes
@every
def test_no_way_to_write_a_url_reaches_the_canary(canary: Canary, protocol: str, lane: Lane) -> None:
    scheme = SCHEMES.get(protocol, "http")
    urls = [f"{scheme}://{host}:{canary.port}/" for host in LOOPBACK]
    urls += [url.format(scheme=scheme, port=canary.port) for url in WHOLE]
    found = {url: codes(lane, protocol, url, allow=False)[0] for url in urls}
    assert {url: code for url, code in found.items() if code not in NOT_DIALLED} == {}
    assert canary.hits() == 0


@lanes
@every
def test_metadata_and_link_local_are_refused_even_if_all_private_addresses_are_allowed(
    canary: Canary, protocol: str, lane: Lane
) -> None:
    scheme = SCHEMES.get(protocol, "http")
    found = {host: codes(lane, protocol, f"{scheme}://{host}:{canary.port}/", allow=True)[0] for host in METADATA}
    assert found == dict.fromkeys(METADATA, "address_blocked")


@lanes
@every
def test_a_resolver_that_changes_its_mind_is_not_followed(
    canary: Canary, protocol: str, lane: Lane, resolver: dict[str, list[Sequence[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look-up gives an allowed address without a server; the next one gives the canary's."""
    url = f"{SCHEMES.get(protocol, 'http')}://rebind.example:{canary.port}/"
    resolver["rebind.example"] = [[FRONT], ["127.0.0.1"], ["::1"], ["127.0.0.1"]]
    assert codes(lane, protocol, url, ONLY_FRONT, 3)[1:] == ["address_blocked"] * 2
    resolver["rebind.example"] = [[], ["127.0.0.1"], []]
    assert codes(lane, protocol, url, ONLY_FRONT, 3) == ["dns_failed", "address_blocked", "dns_failed"]
    resolver["rebind.example"] = [[FRONT, "127.0.0.1", "::1"]]
    assert codes(lane, protocol, url, ONLY_FRONT) != ["address_blocked"], "one of them is allowed, and only that one"
    assert canary.hits() == 0


REDIRECTS = (
    "http://127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://2130706433:{port}/",
    "http://localhost:{port}/",
    "http://loopback.example:{port}/",
    "//127.0.0.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http://\uff11\uff12\uff17.0.0.1:{port}/",
)


def always(answer: bytes) -> Callable[[Any], bytes]:
    return lambda _request: answer


@lanes
@every
@pytest.mark.parametrize("follow", [False, True])
def test_no_redirect_leads_there(canary: Canary, protocol: str, lane: Lane, follow: bool) -> None:
    """Of a turn, of an upgrade, or of a standing stream."""
    for location in REDIRECTS:
        where = location.format(port=canary.port).encode().decode("latin-1")
        answer = whole(b"", "Content-Type: text/plain", f"Location: {where}", status="307 Over there")
        with scripted(always(answer), FRONT) as front:
            url = front.url.replace("http", SCHEMES.get(protocol, "http"))
            [code] = codes(lane, protocol, url, ONLY_FRONT, follow_redirects=follow)
        assert code is not None
        if protocol in HTTP_STYLES and follow:
            assert code in NOT_DIALLED | {"http_307"}
    assert canary.hits() == 0


@lanes
@every
def test_no_step_of_a_handshake_leads_there(canary: Canary, protocol: str, lane: Lane) -> None:
    scheme = SCHEMES.get(protocol, "http")
    save = {"name": "first", "url": "/first", "save": {"there": "there"}}
    for url in ("http://127.0.0.1:{}/", "http://[::1]:{}/x", "http://localhost:{}/", "http://0x7f.1:{}/"):
        where = url.format(canary.port)
        with scripted(always(whole(b'{"there":"%b"}' % where.encode())), FRONT) as front:
            own = front.url.replace("http", scheme)
            for steps in ([{"name": "token", "url": where}], [save, {"name": "token", "url": "{{ saved.there }}"}]):
                assert codes(lane, protocol, own, ONLY_FRONT, handshake={"steps": steps}) == ["address_blocked"]
    assert canary.hits() == 0


@lanes
@every
def test_a_path_or_a_host_header_leads_nowhere_else(canary: Canary, protocol: str, lane: Lane) -> None:
    paths = (
        f"http://127.0.0.1:{canary.port}/",
        f"@127.0.0.1:{canary.port}/",
        f"//127.0.0.1:{canary.port}/",
        ":1@[::1]/",
    )
    headers = ({"Host": f"127.0.0.1:{canary.port}"}, {"X-Forwarded-Host": "127.0.0.1"}, {"Forwarded": "host=127.0.0.1"})
    with scripted(lambda _: whole(b"{}", status="404 No"), FRONT) as front:
        url = front.url.replace("http", SCHEMES.get(protocol, "http"))
        games: list[dict[str, Any]] = [*({"path": path} for path in paths), *({"headers": own} for own in headers)]
        for request in games:
            assert codes(lane, protocol, url, ONLY_FRONT, request=request) != [None]
            assert codes(lane, protocol, url, ONLY_FRONT, request=request, standing=request | {"method": "GET"}) != [
                None
            ]
    assert canary.hits() == 0


@lanes
@every
def test_no_proxy_of_the_environment_is_used(
    canary: Canary, protocol: str, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "ws_proxy", "wss_proxy", "socks_proxy"):
        for written in (name, name.upper()):
            monkeypatch.setenv(written, f"http://127.0.0.1:{canary.port}")
    for name in [name for name in os.environ if name.lower() == "no_proxy"]:
        monkeypatch.delenv(name)
    with scripted(lambda _: whole(b"{}", status="404 No"), FRONT) as front:
        url = front.url.replace("http", SCHEMES.get(protocol, "http"))
        assert codes(lane, protocol, url, ONLY_FRONT) != [None]
        assert front.server.connections >= 1, "the target itself is dialled"
    assert canary.hits() == 0


@lanes
@pytest.mark.parametrize("protocol", [protocol for protocol in PROTOCOLS if protocol != "grpc"])
def test_the_target_is_told_its_name_and_not_the_address_that_was_dialled(
    protocol: str, lane: Lane, resolver: dict[str, list[Sequence[str]]]
) -> None:
    resolver["bot.example"] = [[FRONT]] * 4
    with scripted(lambda _: whole(b"{}", status="404 No"), FRONT) as front:
        url = f"{SCHEMES.get(protocol, 'http')}://bot.example:{front.server.port}"
        codes(lane, protocol, url, ONLY_FRONT)
        assert {request.headers["host"] for request in front.requests} == {f"bot.example:{front.server.port}"}


@lanes
def test_a_proto_that_imports_reads_and_dials_nothing(canary: Canary, lane: Lane) -> None:
    for name in (f"http://127.0.0.1:{canary.port}/x.proto", "/etc/passwd", "../../../../etc/passwd"):
        proto = f'syntax = "proto3"; import "{name}"; message A {{}} service C {{ rpc Ask(A) returns (A); }}'
        found = codes(
            lane, "grpc", f"grpc://{FRONT}:{canary.port}", ONLY_FRONT, grpc={"proto": proto, "method": "C/Ask"}
        )
        assert found != [None]
    assert canary.hits() == 0


def test_a_target_cannot_give_itself_leave() -> None:
    spec = make_spec("http", "http://127.0.0.1:1")
    for field in ("allow_private", "ALLOW_PRIVATE", "guard"):
        with pytest.raises(ValueError, match=field):
            TargetSpec.model_validate(spec.wire_dict() | {field: True})
