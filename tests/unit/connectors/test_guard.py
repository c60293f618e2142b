"""The guard: what is dialled is what was judged, in every notation that an attacker could pick."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from connectors.errors import ConnectFailed, TimedOut, TurnError
from connectors.guard import Address, refusal, resolve, resolve_async

ALWAYS_REFUSED = [
    ("169.254.169.254", "metadata"),
    ("169.254.0.1", "link-local"),
    ("169.254.170.2", "link-local"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::254%1", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%1", "link-local"),
    ("fe80::a9fe:a9fe", "link-local"),
    ("febf:ffff::1", "link-local"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:a9fe:a9fe", "metadata"),
    ("::169.254.169.254", "metadata"),
    ("::ffff:0:169.254.169.254", "metadata"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("::ffff:224.0.0.1", "multicast"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b:1::169.254.169.254", "metadata"),
    ("64:ff9b:1:a9fe:00a9:fe00::", "metadata"),  # /48
    ("64:ff9b:1:00a9:00fe:a9fe::", "metadata"),  # /56
    ("64:ff9b:1:0:00a9:fea9:fe00:0", "metadata"),  # /64
    ("2002:a9fe:a9fe::", "metadata"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:0:0::1", "unspecified"),
    ("2001:0:4136:e378:8000:63bf:5601:5601", "metadata"),  # Teredo client, bits inverted
    ("2001:db8::5efe:169.254.169.254", "metadata"),  # ISATAP
    ("2001:db8::200:5efe:169.254.169.254", "metadata"),
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.0.9",
    "100.64.0.1",
    "198.18.0.1",
    "240.0.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "fd00::5efe:8.8.8.8",
    "2600::5efe:10.0.0.1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("10.20.3.4", False),
        ("::ffff:10.20.3.4", False),
        ("10.21.0.1", True),
        ("127.0.0.1", True),
        ("fd00:1::5", False),
        ("fd00:2::5", True),
        ("169.254.169.254", True),
        ("fd00:ec2::254", True),
        ("8.8.8.8", False),
    ],
)
def test_an_administrator_may_allow_some_networks(text: str, refused: bool) -> None:
    networks = ("10.20.0.0/16", "fd00:1::/32", "169.254.0.0/16", "fd00:ec2::/32")
    assert (refusal(ip_address(text), allow_private=networks) is not None) is refused


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize(("text", "why"), ALWAYS_REFUSED)
def test_is_never_dialled(text: str, why: str, allow_private: bool) -> None:
    reason = refusal(ip_address(text), allow_private=allow_private)
    assert reason is not None
    assert why in reason


@pytest.mark.parametrize("text", PRIVATE)
def test_private_needs_the_flag(text: str) -> None:
    assert refusal(ip_address(text), allow_private=False) == "a private address"
    assert refusal(ip_address(text), allow_private=True) is None


@pytest.mark.parametrize("text", PUBLIC)
def test_public_passes_without_the_flag(text: str) -> None:
    assert refusal(ip_address(text), allow_private=False) is None


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "::1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_every_spelling_of_loopback_is_private(spelling: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        resolve(spelling, 80, allow_private=False)
    assert caught.value.code == "address_blocked"
    assert "administrator" in caught.value.advice
    assert resolve(spelling, 80, allow_private=True)


@pytest.mark.parametrize(
    "spelling",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[::ffff:a9fe:a9fe]",
        "0",
        "0.0.0.0",
        "[::]",
        "[fe80::1%25lo]",
        "[fe80::1%lo]",
    ],
)
def test_every_spelling_of_a_forbidden_address_fails(spelling: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        resolve(spelling, 80, allow_private=True)
    assert caught.value.code in {"address_blocked", "dns_failed"}
    assert caught.value.advice


def answers(monkeypatch: pytest.MonkeyPatch, *rounds: Sequence[str]) -> list[str]:
    """Let the resolver say `rounds`, one a look-up of a name; literals pass. Returns what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def fake(host: str, port: int, *, type: int = 0, flags: int = 0) -> list[Any]:
        if flags & socket.AI_NUMERICHOST:
            return list(real(host, port, type=type, flags=flags))
        asked.append(host)
        texts = rounds[min(len(asked), len(rounds)) - 1]
        return [row for text in texts for row in real(text, port, type=type, flags=socket.AI_NUMERICHOST)]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    return asked


def test_a_name_is_resolved_once_and_its_addresses_returned_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, ["2606:4700::1111", "1.1.1.1", "1.1.1.1"], ["10.0.0.1"])
    found = resolve("bot.example", 8443, allow_private=False)
    assert asked == ["bot.example"]
    assert [(a.host, a.port) for a in found] == [("2606:4700::1111", 8443), ("1.1.1.1", 8443)]
    assert found[0].family is socket.AF_INET6


def test_forbidden_addresses_of_a_mixed_answer_are_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["169.254.169.254", "1.1.1.1", "127.0.0.1"])
    assert [a.host for a in resolve("mixed.example", 80, allow_private=False)] == ["1.1.1.1"]


def test_each_look_up_is_judged_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["1.1.1.1"], ["169.254.169.254"])
    resolve("rebind.example", 80, allow_private=False)
    with pytest.raises(ConnectFailed, match="address_blocked"):
        resolve("rebind.example", 80, allow_private=False)


def test_a_name_for_the_metadata_service_says_never_and_not_ask_your_administrator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers(monkeypatch, ["169.254.169.254"])
    with pytest.raises(ConnectFailed) as caught:
        resolve("metadata.google.internal", 80, allow_private=True)
    assert caught.value.code == "address_blocked"
    assert "never dialled" in caught.value.advice


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "", "[]", "a" * 64 + ".example", "nul\x00.example", "..", "bad host"]
)
def test_resolver_failures_are_dns_failed_and_never_pass_the_guard(host: str) -> None:
    with pytest.raises(ConnectFailed) as sync:
        resolve(host, 80, allow_private=True)
    with pytest.raises(ConnectFailed) as loop:
        asyncio.run(resolve_async(host, 80, allow_private=True))
    assert [(e.value.code, bool(e.value.advice)) for e in (sync, loop)] == [("dns_failed", True)] * 2


def test_an_empty_answer_is_dns_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, [])
    with pytest.raises(ConnectFailed, match="dns_failed"):
        resolve("empty.example", 80, allow_private=True)


def test_a_slow_resolver_costs_no_more_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, port: int, **kwargs: Any) -> Any:
        if not kwargs["flags"]:
            release.wait(30)
        return real("127.0.0.1" if not kwargs["flags"] else host, port, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        with pytest.raises(TimedOut, match="connect_timeout"):
            resolve("slow.example", 80, allow_private=True, timeout_s=0.05)
    finally:
        release.set()


def test_async_resolves_literals_without_a_thread_and_names_without_blocking_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []
    real = socket.getaddrinfo

    def spy(host: str, port: int, **kwargs: Any) -> Any:
        if not kwargs["flags"]:
            threads.append(threading.current_thread().name)
        return real(host, port, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    expected = [Address(socket.AF_INET, ("127.0.0.1", 9))]
    assert asyncio.run(resolve_async("127.0.0.1", 9, allow_private=True)) == expected
    assert threads == []
    assert expected[0] in asyncio.run(resolve_async("localhost", 9, allow_private=True))
    assert threads
    assert threading.main_thread().name not in threads


def test_async_judges_like_sync() -> None:
    with pytest.raises(TurnError, match="address_blocked"):
        asyncio.run(resolve_async("169.254.169.254", 80, allow_private=True))
