"""A worker's heartbeat: its data, collected in Celery's main process. See `registry`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from celery.worker import state
from django.conf import settings
from kombu import Exchange, Queue

from runs.completion.host_recovery import HostRecovery
from runs.workers import registry
from runs.workers.dispatch import EXECUTE_SHARD
from runs.workers.leases import host_name


class WorkerHeartbeat:
    """The heartbeat of this process's only worker."""

    def __init__(self, version: str, dropped: Callable[[], int]) -> None:
        """`dropped`: number of messages that this process has dropped."""
        self._version, self._dropped = version, dropped
        self._began = time.monotonic()
        self._slots = 0
        self._queues: Any = None
        self._recovery: HostRecovery | None = None

    def prepare(self, name: str, slots: int, app: Any) -> None:
        """Called before it connects. A worker with load slots also serves its host's region, and a queue of its own, to
        which shards are sent when it has the most free slots."""
        queues = app.amqp.queues
        self._slots, self._queues = slots, queues
        if not self._carries_load():
            return
        if settings.REGION:
            region = registry.region_queue(settings.REGION)
            queues.select_add(Queue(region, Exchange(region), routing_key=region))
        own = Queue(registry.own_queue(name), routing_key=registry.own_queue(name))
        queues.select_add(own)
        own.exchange = Exchange("")  # not the default exchange type, in which each name would stay bound forever

    def begin(self) -> None:
        """The worker is ready. Its pool has been forked, so threads are allowed from here on."""
        if self._recovery is None and self._carries_load():
            self._recovery = HostRecovery()
            self._recovery.start()

    def _carries_load(self) -> bool:
        return registry.Worker("", tuple(self._queues.consume_from)).carries_load

    def beat(self, name: str) -> None:
        """Called every 2 s by the loop that fetches tasks. Never raises, never waits for the database."""
        registry.beat(
            registry.Worker(
                name=name,
                queues=tuple(sorted(self._queues.consume_from)),
                host=host_name(),
                region=settings.REGION,
                slots=self._slots,
                busy=sum(request.name == EXECUTE_SHARD for request in tuple(state.reserved_requests)),
                version=self._version,
                pid=os.getpid(),
                cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
                load1=round(os.getloadavg()[0], 2),
                up_s=round(time.monotonic() - self._began, 1),
                dropped=self._dropped(),
                clock_offset_ms=self._recovery.clock_offset_ms if self._recovery else None,
            )
        )

    def end(self, name: str) -> None:
        if self._recovery is not None:
            self._recovery.stop()
        registry.forget(name)
