"""One scenario over five transports and two lanes: the same texts, the same turns, and the target agrees."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import requests

from connectors.registry import Lane
from connectors.spec import TargetSpec, build_target_spec
from scenarios.importers import load_scenario
from scenarios.render.walk import SayAction, compile_scenario
from tests.bench.transports import TRANSPORTS, Transport
from tests.integration.connectors.lanes import LANES, Client, wait
from tests.support.processes import Mock, mock_chatbot
from tokenburn_site.local.process_groups import ProcessGroups

FLAGS = ("--delay-ms", "0-5", "--itl-ms", "0-1", "--tokens", "3-9", "--error-rate", "0", "--seed", "5", "--stamp", "t")
SCENARIO = "contradiction-loop"


@pytest.fixture(scope="module")
def chatbot(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    with mock_chatbot(family, *FLAGS, log=tmp_path_factory.mktemp("mock") / "mock.log") as running:
        yield running


def spec_of(transport: Transport, mock: Mock) -> TargetSpec:
    stream = "--stream" in transport.flags
    return build_target_spec(
        name="t", url=transport.url(mock), preset=transport.preset, stream=stream, stamp=transport.stamp
    )


def converse(lane: Lane, spec: TargetSpec) -> list[tuple[str, str, int | None]]:
    """(message, answer, output tokens) of each turn of one conversation."""
    [(scenario)] = load_scenario(SCENARIO)
    info = {"id": "s1", "number": 1, "user": 0}
    said: list[tuple[str, str, int | None]] = []
    with Client(lane, spec) as client:
        client.connector.begin(info)
        walk = compile_scenario(scenario).walk(Random(1), info)

        async def turn(action: SayAction) -> None:
            connector = client.connector
            context: dict[str, Any] = {
                "message": action.text,
                "messages": walk.messages,
                "history": walk.history,
                "turn": action.number,
                "vars": walk.variables,
            }
            timeline = connector.timeline(time.monotonic_ns())
            if not connector.ready:
                await wait(connector.connect())
            await wait(connector.send_message(connector.render(context), timeline))
            connector.finish_turn(timeline)
            walk.answer(timeline.text)
            said.append((action.text, timeline.text, timeline.tokens_out))

        while (action := walk.next_action()) is not None:
            if isinstance(action, SayAction):
                client.run(turn(action))
    return said


def test_the_same_conversation_over_five_transports_and_two_lanes(chatbot: Mock) -> None:
    found = {}
    for transport in TRANSPORTS:
        for lane in LANES:
            assert requests.post(f"{chatbot.url}/__stats/reset", timeout=10).ok
            found[transport.name, lane] = said = converse(lane, spec_of(transport, chatbot))
            counted = chatbot.stats()
            assert counted["chat_requests"] == counted["answers"] == len(said) >= 3, (transport.name, lane)
            assert counted["output_tokens"] == sum(tokens or 0 for _, _, tokens in said), (transport.name, lane)
    first = next(iter(found.values()))
    assert all(text for _, text, _ in first)
    assert {pair: said for pair, said in found.items() if said != first} == {}
