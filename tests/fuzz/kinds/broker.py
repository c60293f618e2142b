"""What lies in the broker: task messages, heartbeats of workers, entries of live streams."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final, cast

import redis
from celery.exceptions import InvalidTaskError
from celery.worker.request import Request
from django.conf import settings
from hypothesis import strategies as st
from kombu import Consumer, Queue
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from runs import live_stream
from runs.broker_keys import broker_key
from runs.workers import registry
from tests.fuzz.kinds import Fault, Kind, rows
from tests.fuzz.mutations import Seeds, as_json, damaged
from tests.integration.web import made_up
from tokenburn_site import broker
from tokenburn_site.celery import app

MESSAGE: Final[dict[str, Any]] = {
    "body": "W1s1XSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjogbnVsbCwgImNob3JkIjogbnVsbH1d",
    "content-encoding": "utf-8",
    "content-type": "application/json",
    "headers": {
        "lang": "py", "task": "runs.tasks.execute_shard", "id": "2c7f3b9a-5a3e-4b1e-8f0e-1d2c3b4a5f6e", "shadow": None,
        "eta": "2030-01-01T00:00:00+00:00", "expires": None, "group": None, "retries": 0, "timelimit": [None, None],
        "root_id": "a", "parent_id": None, "argsrepr": "(5,)", "kwargsrepr": "{}", "origin": "gen1@host",
        "ignore_result": True, "stamps": {}, "redelivered": False,
    },
    "properties": {
        "correlation_id": "a", "reply_to": "b", "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
        "delivery_tag": "c", "delivery_info": {"exchange": "", "routing_key": "load"},
    },
}  # fmt: skip
CONTROL: Final[dict[str, Any]] = {"method": "shutdown", "arguments": {}, "destination": None, "pattern": None}
HEARTBEAT: Final[dict[str, Any]] = {
    "queues": ["load", "control", "load.eu"], "host": "h", "region": "eu", "slots": 4, "busy": 1, "version": "1.0.0",
    "pid": 7, "cpus": 2, "load1": 0.5, "up_s": 3.0, "clock_offset_ms": None, "dropped": 0,
}  # fmt: skip


class _Worker:
    """As much of a worker as meets a message before its task begins."""

    def __init__(self) -> None:
        self.connection = app.connection_for_read()
        self.channel = cast("Any", self.connection.default_channel)  # its type tells of few of its attributes
        self.channel.qos.restore_at_shutdown = False  # the broker is away then
        self.queue = "load"
        self.taken = self.refused = 0
        Consumer(self.channel, [Queue(self.queue)], on_message=self._take, accept=["json"]).consume()

    def _take(self, message: Any) -> None:
        """As celery.worker.consumer does it."""
        try:
            request = Request(message, app=app, hostname="h", task=app.tasks.get(message.headers["task"]))
            str(request.info(safe=True))
        except (InvalidTaskError, ContentDisallowed, DecodeError):
            self.refused += 1
        else:
            self.taken += 1
        message.ack()


@cache
def _worker() -> _Worker:
    return _Worker()


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def take_message(given: tuple[bytes, bool]) -> str:
    """As the transport takes what it popped from a queue; `signed` as by ourselves if it is a message at all."""
    item, signed = given
    worker, before = _worker(), broker.dropped.count
    worker.taken = worker.refused = 0
    if signed:
        item = _signed(item)
    found = worker.channel._readable((broker_key(worker.queue).encode(), item))
    if found is not None:
        worker.channel.connection._deliver(loads(bytes_to_str(found[1])), worker.queue)
    counts = {"taken": worker.taken, "refused": worker.refused, "dropped": broker.dropped.count - before}
    if sum(counts.values()) != 1:
        raise Fault(f"one message became {counts}")
    if not (signed or counts["dropped"]):
        raise Fault("a message without a signature was taken")
    return next(what for what, count in counts.items() if count)


def _signed(item: bytes) -> bytes:
    try:
        message = json.loads(item)
        signature = broker.signature(message, broker_key())
        headers = {**message["headers"], broker.SIGNATURE: signature}
        return as_json({**message, "headers": headers})
    except broker.BAD_DATA:
        return item


def _messages() -> st.SearchStrategy[tuple[bytes, bool]]:
    whole = Seeds([MESSAGE, MESSAGE, MESSAGE, CONTROL, [], {}]).mutated(4).map(as_json)
    return st.tuples(st.one_of(whole, damaged(whole)), st.booleans())


def take_heartbeat(given: tuple[str, bytes]) -> str:
    """A worker's key holds it; all that reads the list of workers is asked."""
    name, value = given
    key = broker_key(f"worker:{name}".encode("utf-8", "replace").decode())
    _redis().set(key, value, ex=registry.EXPIRES_S)
    try:
        found = registry.workers()
        if len(found) != 1:
            raise Fault(f"{len(found)} workers are listed instead of one")
        answers = [rows.browser().get(path) for path in ("/workers/", "/api/workers/", "/api/health/")]
        if bad := [answer for answer in answers if answer.status_code >= 500 and answer.status_code != 503]:
            raise Fault(f"{bad[0].request['PATH_INFO']}: {bad[0].status_code}")
        registry.load_workers()
    finally:
        _redis().delete(key)
    return "with its fields" if found[0].slots else "by its name"


def _heartbeats() -> st.SearchStrategy[tuple[str, bytes]]:
    whole = Seeds([HEARTBEAT, HEARTBEAT, [], "load,control"]).mutated(4).map(as_json)
    names = st.one_of(st.sampled_from(["w@h", "", " ", "a:b", "<b>", "\x00", "x" * 300, "é", "\u202e", "*"]), st.text())
    return st.tuples(names, damaged(whole))


def take_entry(fields: dict[Any, Any]) -> str:
    """An entry of a running run's stream; a page reads it."""
    run = rows.rows().running
    key = live_stream.stream_key(run.pk)
    _redis().xadd(key, fields or {b"t": b"tick"})
    try:
        answers = [rows.browser().get(f"/runs/{run.pk}/{page}") for page in ("live/", "series/")]
        if bad := [answer for answer in answers if answer.status_code >= 500]:
            raise Fault(f"{bad[0].request['PATH_INFO']}: {bad[0].status_code}")
        found = live_stream.read_since(run.pk)
    finally:
        _redis().delete(key)
    return "passed over" if found[0].data == {"items": [], "held_back": 0} else f"read as {found[0].kind}"


def _entries() -> st.SearchStrategy[dict[bytes, bytes]]:
    real: list[Any] = [made_up.tick(1, 5, 1), made_up.lines(1, 2), {"status": "completed", "reason": ""}]
    data = Seeds([*real, {"at_s": 3.0, "level": 5.0, "by": "x"}]).mutated(4).map(as_json)
    kind = st.sampled_from([b"tick", b"lines", b"status", b"load", b"", b"\xff", b"x" * 1000])
    fields = st.fixed_dictionaries({b"t": kind, b"d": damaged(data)})
    return st.one_of(fields, fields, fields, st.dictionaries(st.sampled_from([b"t", b"d", b"x"]), damaged(data)))


KINDS: Final = [
    Kind("task messages", 6, _messages, take_message),
    Kind("heartbeats", 4, _heartbeats, take_heartbeat),
    Kind("stream entries", 3, _entries, take_entry),
]
