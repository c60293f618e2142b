"""A limit of answers at once: the order of those who wait, the pace, and places that are given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from mock_chatbot.places import Places
from tests.support.processes import Mock
from tests.unit.mock_chatbot.client import Client


async def _come(places: Places, name: str, served: list[str]) -> None:
    await places.take()
    served.append(name)


def test_who_comes_first_is_served_first() -> None:
    async def run() -> None:
        places, served = Places(1), list[str]()
        await places.take()
        tasks = [asyncio.create_task(_come(places, name, served)) for name in "abc"]
        await asyncio.sleep(0)
        assert served == []
        tasks[1].cancel()  # who leaves the line loses nobody's place
        for _ in range(3):
            places.give(time.monotonic())
            await asyncio.sleep(0)
        await asyncio.wait(tasks)
        assert served == ["a", "c"]
        await places.take()

    asyncio.run(run())


def test_a_place_is_free_since_its_answer_was_due_to_end() -> None:
    async def run() -> None:
        places = Places(1)
        await places.take()
        waiting = asyncio.create_task(places.take())
        await asyncio.sleep(0)
        due_s = time.monotonic() + 5
        places.give(due_s)
        assert await waiting == pytest.approx(5, abs=0.5)

    asyncio.run(run())


def test_one_who_leaves_when_it_is_his_turn_passes_it_on() -> None:
    async def run() -> None:
        places, served = Places(1), list[str]()
        await places.take()
        first = asyncio.create_task(_come(places, "a", served))
        second = asyncio.create_task(_come(places, "b", served))
        await asyncio.sleep(0)
        places.give(time.monotonic())
        first.cancel()
        await asyncio.wait([first, second], timeout=5)
        assert served == ["b"]

    asyncio.run(run())


def test_three_at_once_take_three_times_as_long_for_nine(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "200", "--tokens", "2", "--concurrency", "3")

    def ask(_: int) -> float:
        begun = time.monotonic()
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        requests.post(f"{mock.url}/v1/chat/completions", json=body, timeout=10).raise_for_status()
        return time.monotonic() - begun

    with ThreadPoolExecutor(9) as pool:
        took = sorted(pool.map(ask, range(9)))
    rounds = [round(seconds / 0.2 - 0.2) for seconds in took]
    assert rounds == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    with Client(mock.url) as client:
        assert client.stats()["max_in_flight"] == 9
