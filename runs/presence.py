"""A worker's sign of life: what it says of itself, collected where Celery's main process can see it. See `registry`."""

from __future__ import annotations

import os
import time
from typing import Any

from celery.worker import state
from django.conf import settings
from kombu import Exchange, Queue

from runs import registry
from runs.attendant import Attendant
from runs.dispatch import EXECUTE_SHARD
from runs.leases import host_name


class Presence:
    """Of this process's one worker."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._began = time.monotonic()
        self._slots = 0
        self._queues: Any = None
        self._attendant: Attendant | None = None

    def prepare(self, name: str, slots: int, app: Any) -> None:
        """Before it connects. A worker that carries load also serves its host's region, and a queue of its own, to
        which shards are sent when it has most room."""
        queues = app.amqp.queues
        self._slots, self._queues = slots, queues
        if not self._carries_load():
            return
        if settings.REGION:
            region = registry.region_queue(settings.REGION)
            queues.select_add(Queue(region, Exchange(region), routing_key=region))
        own = Queue(registry.own_queue(name), routing_key=registry.own_queue(name))
        queues.select_add(own)
        own.exchange = Exchange("")  # not the default one, in which each name would stay bound for ever

    def begin(self) -> None:
        """It is ready for work. Its pool has been forked: from here on threads are allowed."""
        if self._attendant is None and self._carries_load():
            self._attendant = Attendant()
            self._attendant.start()

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
                clock_offset_ms=self._attendant.clock_offset_ms if self._attendant else None,
            )
        )

    def end(self, name: str) -> None:
        if self._attendant is not None:
            self._attendant.stop()
        registry.forget(name)
