"""Whatever lies in a worker's queues: it is dropped and counted, and the worker does the next real task."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from runs.broker_keys import broker_key
from runs.workers import registry
from tests.integration.runs.conftest import Start
from tests.support.runs import until
from tokenburn_site import broker
from tokenburn_site.celery import app

NO_JSON: tuple[bytes, ...] = (
    b"", b"no", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"\x80" * 3_000_000, b'{"__type__": "uuid", "__value__": 1}',
)  # fmt: skip
NO_MESSAGE: tuple[Any, ...] = (
    [], [[]], {}, None, 0, 1.5, True, "reap", "[]", {"properties": []}, {"properties": {}}, {"task": "runs.tasks.reap"},
    {"properties": {"delivery_tag": 5, "delivery_info": {}}, "headers": {}},
    {"properties": {"delivery_tag": "a", "delivery_info": []}, "headers": {}},
    {"properties": {"delivery_tag": "a", "delivery_info": {}}, "headers": [], "body": "W10="},
)  # fmt: skip
SHUTDOWN: dict[str, Any] = {"method": "shutdown", "arguments": {}, "destination": None}
WRONG: tuple[Any, ...] = (None, 5, -1.5, "x", True, [], [1], {}, {"a": 1})


class Queues:
    """All queues of one running worker, written to as any client of the broker could."""

    def __init__(
        self, worker: subprocess.Popen[bytes], log: Path, client: redis.Redis, real_message: dict[str, Any]
    ) -> None:
        (found,) = registry.workers()
        self.names = found.queues
        self._worker, self._log, self._client, self._real = worker, log, client, real_message

    def push(self, queue: str, *items: Any) -> None:
        """First in, first out."""
        for item in items:
            self._client.lpush(broker_key(queue), item if isinstance(item, bytes) else json.dumps(item))

    def publish(self, *items: Any) -> int:
        """To all workers at once, where remote control would listen; how many heard it."""
        channel = broker_key() + f"/{self._client.connection_pool.connection_kwargs['db']}.celery.pidbox"
        return sum(int(self._client.publish(channel, json.dumps(item))) for item in items)

    def works(self, queue: str) -> bool:
        """Whether a real task behind all that is done."""
        self.forget_pass()
        self.push(queue, self._real)
        until(lambda: self.passed("reap") or self._worker.poll() is not None, 60, f"the task in {queue}")
        return self._worker.poll() is None

    def forget_pass(self) -> None:
        self._client.delete(registry.pass_key("reap"))

    def passed(self, task: str) -> bool:
        return bool(self._client.exists(registry.pass_key(task)))

    def dropped(self) -> int:
        """As the worker counts."""
        (found,) = registry.workers()
        return found.dropped

    def until_dropped(self, number: int) -> None:
        until(lambda: self.dropped() == number, 10, "the count")

    def logged(self, queue: str) -> list[str]:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if f"message_dropped: queue {queue}: " in line]


@pytest.fixture
def real_message(valkey: str) -> dict[str, Any]:
    """A task as Celery writes it."""
    client = redis.Redis.from_url(valkey)
    app.send_task("runs.tasks.reap")
    sent = client.rpop(broker_key("control"))
    client.close()
    assert isinstance(sent, bytes)
    found: dict[str, Any] = json.loads(sent)
    return found


@pytest.fixture
def queues(valkey: str, real_message: dict[str, Any], start_worker: Start, tmp_path: Path) -> Iterator[Queues]:
    worker = start_worker("load,control", "-c", "1", TOKENBURN_REGION="north")
    until(lambda: bool(registry.workers()), 60, "the worker")
    client = redis.Redis.from_url(valkey)
    (log,) = tmp_path.glob("*.log")
    yield Queues(worker, log, client, real_message)
    client.close()


def damaged(value: Any) -> Iterator[Any]:
    """A message with one of its values, at any depth, missing or of another type."""
    if isinstance(value, dict):
        for key in value:
            yield {name: kept for name, kept in value.items() if name != key}
            for wrong in (*WRONG, *damaged(value[key])):
                yield {**value, key: wrong}


def signed(messages: Iterator[Any]) -> Iterator[Any]:
    """As if somebody of ours had sent them."""
    for message in messages:
        with suppress(*broker.BAD_DATA):
            headers = {**message["headers"], broker.SIGNATURE: broker.signature(message, broker_key())}
            yield {**message, "headers": headers}


@pytest.mark.django_db(transaction=True)
def test_rubbish_in_any_queue_ends_no_worker_and_is_counted(real_message: dict[str, Any], queues: Queues) -> None:
    assert len(queues.names) == 4, queues.names  # load, control, the region's and its own
    rubbish = [*NO_JSON, *NO_MESSAGE]
    for number, queue in enumerate(queues.names, 1):
        queues.push(queue, *rubbish)
        assert queues.works(queue)
        queues.until_dropped(number * len(rubbish))
    logged = queues.logged(queues.names[0])
    assert 0 < len(logged) <= broker.LOGGED
    assert all(len(line) < 2000 for line in logged)
    assert queues.publish(SHUTDOWN, *NO_MESSAGE) == 0, "remote control is off"
    assert queues.works("control")


@pytest.mark.django_db(transaction=True)
def test_damaged_messages_end_no_worker_signed_or_not(real_message: dict[str, Any], queues: Queues) -> None:
    for messages in (damaged(real_message), signed(damaged(real_message))):
        queues.push("load", *messages)
        assert queues.works("load")
    until(lambda: queues.dropped() > 100, 10, "the count")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("forged", [True, False])
def test_a_forged_task_is_not_done(real_message: dict[str, Any], queues: Queues, forged: bool) -> None:
    queues.forget_pass()
    name = "runs.tasks.deliver" if forged else real_message["headers"]["task"]
    queues.push("control", {**real_message, "headers": {**real_message["headers"], "task": name}})
    until(lambda: queues.dropped() == forged and (forged or queues.passed("reap")), 20, "the message's end")
    assert queues.works("control")
    assert not queues.passed("deliver")
