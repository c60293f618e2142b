"""The socket as it is served: daphne in its own process, a plain WebSocket client, a real Valkey."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
import websocket
from django.conf import settings

from runs import live_stream
from runs.models import Run, RunStatus
from runs.web.consumers import ENDED
from tests.integration.web import made_up
from tests.integration.web.pages.conftest import Server
from tests.integration.web.pages.page_socket import session_of

WAIT_S = 60.0


@pytest.fixture
def site(transactional_db: None, valkey: str, server: Server) -> str:
    return server.url


def connect(site: str, run: Run, session: str, last: str = "0") -> websocket.WebSocket:
    address = f"{site.replace('http', 'ws', 1)}/ws/runs/{run.pk}/?last={last}"
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    return websocket.create_connection(address, timeout=WAIT_S, cookie=cookie, origin=site)


def read_entries(socket: websocket.WebSocket, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        message = json.loads(socket.recv())
        if message["type"] == "entries":
            found += message["entries"]
    return found


def test_open_pages_subscribe_to_nothing_in_redis(site: str, valkey: str) -> None:
    """Lines, ticks and changes of status all come from the stream: there is no channel layer beside it."""
    run, session = made_up.run(RunStatus.RUNNING), session_of(made_up.user("runs.view_run"))
    made_up.publish(run, 1)
    server = redis.Redis.from_url(valkey)
    pages = [connect(site, run, session) for _ in range(3)]
    for page in pages:
        assert len(read_entries(page, 2)) == 2
    assert server.pubsub_channels() == []
    for page in pages:
        page.close()


def test_a_page_stays_goes_comes_back_and_sees_everything_once(site: str) -> None:
    run = made_up.run(RunStatus.RUNNING)
    session = session_of(made_up.user("runs.view_run", "runs.view_texts"))
    made_up.publish(run, 2)
    first = connect(site, run, session)
    seen = read_entries(first, 4)
    first.close()
    made_up.publish(run, 1)
    second = connect(site, run, session, last=seen[-1][0])
    assert live_stream.publish_status(run.pk, "completed", "done")
    Run.objects.filter(pk=run.pk).update(status=RunStatus.COMPLETED, reason="done")
    seen += read_entries(second, 3)
    assert [tuple(entry) for entry in seen] == [(e.id, e.kind, e.data) for e in live_stream.read_since(run.pk)]
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["type"] != "end":
        messages.append(json.loads(second.recv()))
    opcode, payload = second.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(payload[:2], "big") == ENDED


def test_a_page_of_a_busy_run_that_opens_late_gets_everything(site: str) -> None:
    """More than the web server sends in one message."""
    run, session = made_up.run(RunStatus.RUNNING), session_of(made_up.user("runs.view_run"))
    said = made_up.lines(1.0, 50, answer="x" * 300)
    assert live_stream.publish(run.pk, [("lines", said) for _ in range(120)])
    assert len(json.dumps(said)) * 120 > 2_000_000
    page = connect(site, run, session)
    assert [entry[0] for entry in read_entries(page, 120)] == [entry.id for entry in live_stream.read_since(run.pk)]
    page.close()


def test_no_handshake_for_strangers_and_foreign_pages(site: str) -> None:
    run = made_up.run(RunStatus.RUNNING)
    session = session_of(made_up.user("runs.view_run"))
    connect(site, run, session).close()
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        connect(site, run, "nonsense")
    address = f"{site.replace('http', 'ws', 1)}/ws/runs/{run.pk}/"
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    for origin in ("http://evil.example", "http://127.0.0.1:1"):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(address, timeout=WAIT_S, cookie=cookie, origin=origin)
