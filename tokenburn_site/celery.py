"""The Celery application."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import (
    beat_init,
    celeryd_after_setup,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    worker_ready,
    worker_shutdown,
)

from tokenburn_site import broker
from tokenburn_site.config.checks import refusal
from tokenburn_site.config.version import VERSION

if TYPE_CHECKING:
    from runs.worker_hooks import WorkerHeartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
# Celery runs Django's checks and ignores the results; URL checks would load all pages into every worker.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
broker.install()
app = Celery("tokenburn")
app.config_from_object("tokenburn_site.config.celeryconf")
app.autodiscover_tasks()


@setup_logging.connect
def _log_as_the_site_does(**_: Any) -> None:
    """A connected receiver keeps Celery from installing its own handlers; Django has installed ours."""


@celeryd_init.connect
@beat_init.connect
def _refuse_unsafe_settings(**_: Any) -> None:
    """SystemExit, because Celery logs any Exception of a receiver and goes on."""
    if unsafe := refusal():
        sys.exit(f"celery: {unsafe}")


@cache
def _heartbeat() -> WorkerHeartbeat:
    """Not imported with this module: Django's apps have to be ready first."""
    from runs.worker_hooks import WorkerHeartbeat

    return WorkerHeartbeat(VERSION, lambda: broker.dropped.count)


@celeryd_after_setup.connect
def _add_queues(sender: str, instance: Any, **_: Any) -> None:
    _heartbeat().prepare(sender, instance.concurrency, app)


@worker_ready.connect
def _begin(sender: Any, **_: Any) -> None:
    _heartbeat().begin()
    _heartbeat().beat(sender.hostname)


@heartbeat_sent.connect
def _prove_life(sender: Any, **_: Any) -> None:
    _heartbeat().beat(sender.eventer.hostname)


@worker_shutdown.connect
def _say_goodbye(sender: Any, **_: Any) -> None:
    _heartbeat().end(sender.hostname)
