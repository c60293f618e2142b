"""The list of workers, and what hangs on it: where shards go, and what is refused for want of slots."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from runs.broker_keys import broker_key
from runs.db_clock import DbNow
from runs.models import Run, RunStatus, Shard
from runs.planning.errors import RequestError
from runs.workers import dispatch, registry
from runs.workers.leases import claim_shard, fail_if_late
from runs.workers.registry import Worker, own_queue, region_queue
from tests.support.runs import a_run, shards

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


def lives(name: str, slots: int = 2, busy: int = 0, region: str = "") -> Worker:
    queues = sorted({"load", region_queue(region), own_queue(name)})
    worker = Worker(name, tuple(queues), host=name, region=region, slots=slots, busy=busy, version="1", load1=0.5)
    registry.beat(worker)
    return worker


def waiting(valkey: str) -> dict[str, int]:
    """Messages by queue."""
    client = redis.Redis.from_url(valkey, decode_responses=True)
    names = [name for name in client.scan_iter() if client.type(name) == "list"]
    found = {name.removeprefix(broker_key()): client.llen(name) for name in names}
    client.close()
    return found


def test_a_worker_is_listed_as_it_described_itself() -> None:
    made = [lives("b", region="eu"), lives("a")]
    assert registry.workers() == sorted(made, key=lambda worker: worker.name)
    registry.forget("a")
    assert [worker.name for worker in registry.load_workers() or []] == ["b"]


def test_workers_of_other_versions_are_listed_with_what_is_known(valkey: str) -> None:
    client = redis.Redis.from_url(valkey)
    client.set(registry.worker_key("old@h"), "control,load")
    client.set(registry.worker_key("new@h"), '{"queues": ["load"], "slots": 3, "of_tomorrow": 1}')
    client.close()
    assert registry.workers() == [Worker("new@h", ("load",), slots=3), Worker("old@h", ("control", "load"))]


@pytest.mark.parametrize(
    "said",
    [
        b'{"queues": 5}',
        b'{"queues": {"a": 1}, "slots": 2}',
        b'{"queues": ["load"], "slots": "many"}',
        b'{"queues": ["load"], "slots": null}',
        b'{"queues": ["load"], "load1": []}',
        b'{"queues": ["load"], "clock_offset_ms": "late"}',
    ],
)
def test_a_key_that_is_not_understood_is_shown_and_gets_no_work(valkey: str, said: bytes) -> None:
    lives("a")
    client = redis.Redis.from_url(valkey)
    client.set(registry.worker_key("odd"), said)
    client.close()
    assert [(worker.name, worker.carries_load) for worker in registry.workers()] == [("a", True), ("odd", False)]
    dispatch.nudge(a_run(1, local=False).pk)
    assert waiting(valkey) == {own_queue("a"): 1}


def test_keys_of_other_types_and_encodings_are_no_workers(valkey: str) -> None:
    client = redis.Redis.from_url(valkey)
    client.rpush(registry.worker_key("list"), "x")
    client.set(registry.worker_key("").encode() + b"\xff", b"\xfe")
    client.close()
    assert not any(worker.carries_load for worker in registry.workers())


def test_shards_go_to_the_workers_with_most_room_and_the_rest_waits_for_anybody(valkey: str) -> None:
    lives("a", slots=2)
    lives("b", slots=2, busy=1)
    dispatch.nudge(a_run(3, local=False).pk)
    assert waiting(valkey) == {own_queue("a"): 2, own_queue("b"): 1}
    dispatch.nudge(a_run(2, local=False).pk)
    assert waiting(valkey) == {own_queue("a"): 2, own_queue("b"): 1, "load": 2}


def test_a_queue_of_one_worker_does_not_wait_for_ever(valkey: str) -> None:
    lives("a")
    dispatch.nudge(a_run(1, local=False).pk)
    client = redis.Redis.from_url(valkey)
    assert 0 < client.ttl(broker_key(own_queue("a"))) <= registry.OWN_QUEUE_KEPT_S
    assert list(client.scan_iter("*_kombu.binding.*")) == []
    client.close()


def test_an_unanswered_nudge_goes_to_the_whole_region(valkey: str) -> None:
    lives("a", region="eu")
    run = a_run(1, local=False, regions=["eu"])
    dispatch.nudge(run.pk)
    assert waiting(valkey) == {own_queue("a"): 1}
    Shard.objects.update(dispatched_at=DbNow(-dispatch.AGAIN_AFTER_S - 1))
    dispatch.nudge()
    assert waiting(valkey) == {own_queue("a"): 1, "load.eu": 1}


def test_regions_are_used_in_turn_and_other_workers_cannot_claim(settings: Any) -> None:
    run = a_run(3, local=False, regions=["eu", "us"])
    assert [shard.region for shard in shards(run)] == ["eu", "us", "eu"]
    settings.REGION = "us"
    first, second, _ = shards(run)
    assert claim_shard(first.pk, "me") is None
    run.refresh_from_db()
    assert run.status == RunStatus.QUEUED
    assert claim_shard(second.pk, "me") is not None


def refusal(processes: int, **more: Any) -> tuple[str, str]:
    with pytest.raises(RequestError) as caught:
        a_run(processes, **{"local": False, **more})
    assert not Run.objects.exists()
    return caught.value.code, str(caught.value)


def test_a_run_that_needs_more_slots_than_exist_is_refused_with_their_number() -> None:
    lives("a", region="eu")
    lives("b", slots=3)
    code, says = refusal(8)
    assert (code, says.partition(": start")[0]) == ("slots_missing", "needs 8 slots, 5 exist on 2 hosts: 3 are missing")
    code, says = refusal(2, regions=["asia"])
    assert "needs 2 slots in region asia, none exists: 2 are missing (regions with workers: eu)" in says
    a_run(5, local=False)
    a_run(8)  # local: no worker is asked


def test_slots_that_exist_and_are_in_use_are_waited_for_and_then_said_to_be_missing() -> None:
    lives("a", region="eu", busy=2)
    run = a_run(2, local=False, regions=["eu"])
    Run.objects.update(ready_by=DbNow(-1))
    assert fail_if_late(run.pk)
    run.refresh_from_db()
    assert run.reason == (
        "0 of 2 shards found a worker within 60 s; 2 slots of region eu needed, 2 of 2 there in use: "
        "start a load worker or use fewer processes"
    )


def test_without_a_broker_or_workers_no_run_is_refused(settings: Any) -> None:
    assert registry.load_workers() == []
    unserved = a_run(4, local=False)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert registry.load_workers() is None
    unknown = a_run(4, local=False)
    for run in (unserved, unknown):
        assert (run.status, len(shards(run))) == (RunStatus.QUEUED, 4)


def test_regions_need_workers_and_sound_names() -> None:
    assert refusal(1, local=True, regions=["eu"])[0] == "regions_invalid"
    assert refusal(2, regions=["EU"])[0] == "regions_invalid"
