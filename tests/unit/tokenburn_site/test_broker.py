from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
import redis
from kombu import Consumer, Queue

from runs.broker_keys import broker_key
from tokenburn_site import broker
from tokenburn_site.broker import Dropped, envelope_problem, signature_problem
from tokenburn_site.celery import app

OTHER = "signed with another key"


@pytest.fixture
def sent(valkey: str) -> dict[str, Any]:
    """A message as it lies in a queue."""
    app.send_task("runs.tasks.execute_shard", args=[5], countdown=3)
    with redis.Redis.from_url(valkey) as client:
        item = client.rpop(broker_key("load"))
    assert isinstance(item, bytes)
    message: dict[str, Any] = json.loads(item)
    return message


def problem(message: dict[str, Any]) -> str:
    return envelope_problem(message) or signature_problem(message, broker_key())


def test_what_is_sent_is_accepted_also_when_it_is_delivered_again(sent: dict[str, Any]) -> None:
    assert problem(sent) == ""
    sent["headers"]["redelivered"] = sent["properties"]["delivery_info"]["redelivered"] = True
    assert problem(sent) == ""


def set_header(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda message: message["headers"].__setitem__(name, value)


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (lambda message: message.update(body="W1s2XSwge30sIHt9XQ=="), OTHER),
        (set_header("task", "runs.tasks.prune"), OTHER),
        (set_header("more", 1), OTHER),
        (set_header("signature", "0" * 64), OTHER),
        (set_header("signature", ""), OTHER),
        (set_header("signature", "ü"), OTHER),
        (set_header("signature", None), "not signed"),
        (set_header("signature", ["a"]), "not signed"),
        (lambda message: message["headers"].pop("signature"), "not signed"),
        (lambda message: message.update({"content-encoding": "binary"}), OTHER),
        (lambda message: message.update({"content-type": "application/x-python-serialize"}), "not JSON"),
        (lambda message: message.update({"content-type": "application/x-yaml"}), "not JSON"),
        (lambda message: message.pop("content-type"), "not JSON"),
    ],
)
def test_a_changed_message_is_refused(sent: dict[str, Any], forge: Callable[[dict[str, Any]], Any], why: str) -> None:
    forge(sent)
    assert why in problem(sent)


@pytest.mark.parametrize("name", ["exchange", "routing_key"])
@pytest.mark.parametrize("value", [None, 5, []])
def test_a_message_that_names_no_queue_is_refused(sent: dict[str, Any], name: str, value: Any) -> None:
    sent["properties"]["delivery_info"][name] = value
    assert problem(sent) == "no message: its delivery_info names no queue"
    del sent["properties"]["delivery_info"][name]
    assert problem(sent) == "no message: its delivery_info names no queue"


def test_a_message_that_the_worker_cannot_take_is_no_lost_connection(sent: dict[str, Any]) -> None:
    """kombu counts KeyError among the errors of a connection: the worker would connect anew, again and again."""

    def take(message: Any) -> None:
        raise KeyError(message.headers["task"])

    before = broker.dropped.count
    with app.connection_for_read() as connection:
        channel = cast("Any", connection.default_channel)
        Consumer(channel, [Queue("load")], on_message=take, accept=["json"]).consume()
        channel.connection._deliver(sent, "load")
    assert broker.dropped.count == before + 1


def test_messages_of_another_installation_or_key_are_refused(sent: dict[str, Any], settings: Any) -> None:
    assert OTHER in signature_problem(sent, "tokenburn:fedcba9876543210:")
    settings.SECRET_KEY = "another"
    assert OTHER in problem(sent)


def test_all_are_counted_and_few_are_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    dropped = Dropped()
    for _ in range(5000):
        dropped.note("load", "no JSON", b"x" * 10_000)
    assert dropped.count == 5000
    assert len(caplog.messages) == broker.LOGGED + 1
    assert len(caplog.text) < broker.LOGGED * 1000
    now[0] += broker.LOGGED_IN_S
    dropped.note("load", "no JSON", b"y")
    said = caplog.messages[broker.LOGGED + 1 :]
    assert said == [
        f"messages_dropped: {5000 - broker.LOGGED} more in the last minutes",
        "message_dropped: queue load: no JSON: b'y'",
    ]
