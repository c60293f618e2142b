"""A server of python-socketio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers.socketio_server import ChatServer


@pytest.fixture(scope="module")
def running() -> Iterator[ChatServer]:
    with ChatServer().running() as server:
        yield server


@pytest.fixture
def chat(running: ChatServer) -> ChatServer:
    running.forget()
    return running
