"""A limit of answers at once: the order of those who wait, the pace, and slots that are given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from mock_chatbot.core.concurrency import ConcurrencyLimit
from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client


async def _come(concurrency: ConcurrencyLimit, name: str, served: list[str]) -> None:
    await concurrency.take()
    served.append(name)


def test_who_comes_first_is_served_first() -> None:
    async def run() -> None:
        concurrency, served = ConcurrencyLimit(1), list[str]()
        await concurrency.take()
        tasks = [asyncio.create_task(_come(concurrency, name, served)) for name in "abc"]
        await asyncio.sleep(0)
        assert served == []
        tasks[1].cancel()  # a request that leaves the queue does not affect the others
        for _ in range(3):
            concurrency.give(time.monotonic())
            await asyncio.sleep(0)
        await asyncio.wait(tasks)
        assert served == ["a", "c"]
        await concurrency.take()

    asyncio.run(run())


def test_a_place_is_free_since_its_answer_was_due_to_end() -> None:
    async def run() -> None:
        concurrency = ConcurrencyLimit(1)
        await concurrency.take()
        waiting = asyncio.create_task(concurrency.take())
        await asyncio.sleep(0)
        due_s = time.monotonic() + 5
        concurrency.give(due_s)
        assert await waiting == pytest.approx(5, abs=0.5)

    asyncio.run(run())


def test_one_who_leaves_when_it_is_his_turn_passes_it_on() -> None:
    async def run() -> None:
        concurrency, served = ConcurrencyLimit(1), list[str]()
        await concurrency.take()
        first = asyncio.create_task(_come(concurrency, "a", served))
        second = asyncio.create_task(_come(concurrency, "b", served))
        await asyncio.sleep(0)
        concurrency.give(time.monotonic())
        first.cancel()
        await asyncio.wait([first, second], timeout=5)
        assert served == ["b"]

    asyncio.run(run())


def test_three_at_once_take_three_times_as_long_for_nine(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "600", "--tokens", "2", "--concurrency", "3")

    begun = time.monotonic()

    def ask(_: int) -> float:
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        requests.post(f"{mock.url}/v1/chat/completions", json=body, timeout=10).raise_for_status()
        return time.monotonic() - begun

    with ThreadPoolExecutor(9) as pool:
        took = sorted(pool.map(ask, range(9)))
    assert took[0] >= 0.6 and took[3] >= 1.2 and took[6] >= 1.8
    assert took[8] < 5, "one after the other they would take 5.4 s"
    with Client(mock.url) as client:
        assert client.stats()["max_in_flight"] == 9
