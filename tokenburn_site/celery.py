"""The Celery application."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent, setup_logging, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
app = Celery("tokenburn")
app.config_from_object("tokenburn_site.celeryconf")
app.autodiscover_tasks()


@setup_logging.connect
def _log_as_the_site_does(**_: Any) -> None:
    """Having a receiver at all keeps Celery from putting its own handlers in place; Django has set ours."""


@heartbeat_sent.connect
def _prove_life(sender: Any, **_: Any) -> None:
    from tokenburn_site import liveness

    liveness.beat(sender.eventer.hostname, list(app.amqp.queues.consume_from))


@worker_shutdown.connect
def _say_goodbye(sender: Any, **_: Any) -> None:
    from tokenburn_site import liveness

    liveness.forget(sender.hostname)
