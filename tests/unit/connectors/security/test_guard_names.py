"""The guard and the resolver: names are resolved once, in time, and each of their addresses is judged."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from connectors.errors import ConnectFailed, TimedOut, TurnError
from connectors.security.guard import Address, resolve, resolve_async


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
    assert "no setting allows" in caught.value.advice


@pytest.mark.parametrize(
    "host",
    [
        "no-such-host.invalid",
        "",
        "[]",
        "a" * 64 + ".example",
        "nul\x00.example",
        "..",
        "bad host",
        "[127.0.0.1x",
        "x127.0.0.1]",
    ],
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


def test_a_failure_of_the_resolver_within_the_deadline_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(host: str, port: int, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ConnectFailed, match="dns_failed"):
        resolve("nobody.example", 80, allow_private=True, timeout_s=30)


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


def test_literals_are_read_once_names_each_time_and_no_judgement_serves_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int]] = []
    real = socket.getaddrinfo

    def spy(host: str, port: int, **kwargs: Any) -> Any:
        asked.append((host, kwargs["flags"]))
        return real("127.0.0.1" if not kwargs["flags"] else host, port, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    for _ in range(3):
        assert resolve("10.9.8.7", 4711, allow_private=True)[0].host == "10.9.8.7"
        with pytest.raises(ConnectFailed, match="private"):
            resolve("10.9.8.7", 4711, allow_private=False)
        with pytest.raises(ConnectFailed, match="private"):
            resolve("10.9.8.7", 4711, allow_private=("10.0.0.0/16",))
        assert resolve("10.9.8.7", 4711, allow_private=("10.9.0.0/16",))
    assert asked == [("10.9.8.7", socket.AI_NUMERICHOST)]
    for _ in range(2):
        resolve("changes.example", 4711, allow_private=True)
    assert asked[1:].count(("changes.example", 0)) == 2
