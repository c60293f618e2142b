"""The Celery application."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import celeryd_after_setup, heartbeat_sent, setup_logging, worker_ready, worker_shutdown

from tokenburn_site import broker
from tokenburn_site.version import VERSION

if TYPE_CHECKING:
    from runs.presence import Presence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
# Celery runs Django's checks and drops what they find; those of addresses load all pages into every worker.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
broker.install()
app = Celery("tokenburn")
app.config_from_object("tokenburn_site.celeryconf")
app.autodiscover_tasks()


@setup_logging.connect
def _log_as_the_site_does(**_: Any) -> None:
    """Having a receiver at all keeps Celery from putting its own handlers in place; Django has set ours."""


@cache
def _presence() -> Presence:
    """Not imported with this module: Django's apps have to be ready first."""
    from runs.presence import Presence

    return Presence(VERSION)


@celeryd_after_setup.connect
def _add_queues(sender: str, instance: Any, **_: Any) -> None:
    _presence().prepare(sender, instance.concurrency, app)


@worker_ready.connect
def _begin(sender: Any, **_: Any) -> None:
    _presence().begin()
    _presence().beat(sender.hostname)


@heartbeat_sent.connect
def _prove_life(sender: Any, **_: Any) -> None:
    _presence().beat(sender.eventer.hostname)


@worker_shutdown.connect
def _say_goodbye(sender: Any, **_: Any) -> None:
    _presence().end(sender.hostname)
