from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from runs import live_stream, redis_client
from runs.live_stream import publish, publish_status, read_since, read_since_async, safe_text, stream_key


@pytest.fixture(autouse=True)
def fresh_publisher() -> None:
    live_stream._publisher.cache_clear()
    redis_client._client.cache_clear()


def test_entries_are_read_from_where_the_reader_was(valkey: str) -> None:
    for number in range(5):
        assert publish_status(7, "running", f"reason {number}")
    first = read_since(7, count=2)
    rest = read_since(7, first[-1].id)
    told: list[Any] = [entry.data for entry in first + rest]
    assert [data["reason"] for data in told] == [f"reason {n}" for n in range(5)]
    assert {entry.kind for entry in rest} == {"status"}
    assert read_since(7, rest[-1].id) == []
    assert read_since(8) == []


async def _read(url: str, *args: Any, **more: Any) -> list[live_stream.Entry]:
    client = redis.asyncio.Redis.from_url(url)
    try:
        return await read_since_async(client, *args, **more)
    finally:
        await client.aclose()


def test_a_consumer_reads_the_same(valkey: str) -> None:
    import asyncio

    publish(7, [("lines", {"items": [], "held_back": 3}), ("status", {"status": "running", "reason": ""})])
    assert asyncio.run(_read(valkey, stream_key(7))) == read_since(7)
    assert asyncio.run(_read(valkey, stream_key(7), read_since(7)[-1].id, block_ms=10)) == []


def test_the_stream_is_bounded_and_does_not_stay_for_ever(valkey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_stream, "MAXLEN", 200)
    for _ in range(20):
        publish(7, [("lines", {"items": [], "held_back": 0})] * 100)
    client = redis.Redis.from_url(valkey)
    assert client.xlen(stream_key(7)) < 400
    ttl = client.ttl(stream_key(7))
    assert isinstance(ttl, int)
    assert 0 < ttl <= live_stream.KEEP_S
    client.close()


def test_without_redis_nothing_is_raised_and_hardly_any_time_is_lost(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    begun = time.monotonic()
    for _ in range(1000):
        assert not publish_status(7, "running", "")
    assert time.monotonic() - begun < 10 * live_stream.TIMEOUT_S


def test_publishing_goes_on_when_redis_is_back(valkey: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = live_stream._Publisher(redis.Redis.from_url("redis://127.0.0.1:1/0"))
    entries: list[tuple[live_stream.Kind, live_stream.Payload]] = [("status", {"status": "running", "reason": ""})]
    assert not publisher.publish(7, entries)
    publisher._client = redis.Redis.from_url(valkey)
    assert not publisher.publish(7, entries)  # it keeps off for a while
    monkeypatch.setattr(publisher, "_quiet_until", 0.0)
    assert publisher.publish(7, entries)
    assert len(read_since(7)) == 1


def test_redis_is_left_alone_for_longer_after_each_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = live_stream._Publisher(redis.Redis.from_url("redis://127.0.0.1:1/0"))
    with caplog.at_level("INFO"):
        for _ in range(6):
            monkeypatch.setattr(publisher, "_quiet_until", 0.0)
            assert not publisher.publish(7, [("status", {"status": "running", "reason": ""})])
    pauses = [line.partition("next try in ")[2].partition(":")[0] for line in caplog.messages]
    assert pauses == ["2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]


@pytest.mark.parametrize(
    "fields",
    [
        {b"x": b"1"},
        {b"t": b"tick"},
        {b"t": b"tick", b"d": b"{"},
        {b"t": b"tick", b"d": b""},
        {b"t": b"tick", b"d": b"[1]"},
        {b"t": b"\xff", b"d": b"{}"},
        {b"t": b"shutdown", b"d": b"{}"},
        {b"t": b"status", b"d": b'"\\ud800"'},
    ],
)
def test_an_entry_that_is_not_ours_is_passed_over_with_its_id(valkey: str, fields: dict[Any, Any]) -> None:
    client = redis.Redis.from_url(valkey)
    found = client.xadd(live_stream.stream_key(7), fields)
    assert isinstance(found, bytes)
    assert publish_status(7, "running", "")
    strange, ours = read_since(7)
    assert (ours.kind, read_since(7, strange.id)) == ("status", [ours])
    assert (strange.id, strange.kind, strange.data) == (found.decode(), "lines", {"items": [], "held_back": 0})
    client.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, ""),
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m\r\nnext\x00", " [31mred [0m next "),
        ("a\u2028b\u202ec\ud800", "a b c "),
        ("x" * 500, "x" * 299 + "…"),
        ("é" * 300, "é" * 300),
    ],
)
def test_text_of_a_target_is_shown_on_one_short_line_without_control_characters(text: str | None, shown: str) -> None:
    assert safe_text(text) == shown
