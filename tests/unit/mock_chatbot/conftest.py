"""One mock for the whole package, without errors and delay; tests change what they need by header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Mock, mock_chatbot
from tests.unit.mock_chatbot.client import Client
from tokenburn_site.local.process_groups import ProcessGroups


@pytest.fixture(scope="package")
def running(family: ProcessGroups, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mock]:
    log: Path = tmp_path_factory.mktemp("mock") / "mock.log"
    flags = ("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "0", "--tokens", "8", "--stamp", "t")
    with mock_chatbot(family, *flags, log=log) as mock:
        yield mock
    assert log.read_text() == "", "a request made the server itself fail, or it logs what nobody asked for"


@pytest.fixture
def client(running: Mock) -> Iterator[Client]:
    """A client of the mock, whose counts and random numbers have just been reset."""
    with Client(running.url) as client:
        client.reset()
        yield client
