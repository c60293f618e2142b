"""Celery's configuration. Messages are only nudges: the database holds the truth, and the reaper sends lost ones again.

So the worst that a lost or doubled message can do is a few seconds' delay, and each choice below prefers a worker
that never goes deaf to a message that is never lost.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from kombu import Exchange, Queue

from runs.workers.registry import region_queue

LOAD, CONTROL = "load", "control"
REAP_EVERY_S = 5.0
SLOTS_EVERY_S = 5.0
WEBHOOKS_EVERY_S = 5.0
AUDIT_EVERY_S = 5.0
PRUNE_EVERY_S = 3600.0

broker_url = settings.REDIS_URL
broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a worker outlives any outage of the broker
broker_transport_options: dict[str, Any] = {
    # Equal on every client: kombu takes unacknowledged messages back after the shortest timeout of them all.
    # Ours are acknowledged when they start, so this only concerns workers killed between fetching and starting.
    "visibility_timeout": 60,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # A broker that vanishes without closing the connection is noticed in about 10 s; by default, never.
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
}
result_backend = None
task_ignore_result = True

task_serializer = "json"
accept_content = ["json"]  # with pickle, anyone who reaches the broker could run code
event_serializer = "json"

# Each queue names its own exchange and key: with Celery's defaults both would share one, and get every message.
# A worker that serves LOAD serves its host's region without being told (`runs.worker_hooks`); one for the region alone
# is started with -Q load.REGION.
_NAMES = dict.fromkeys((LOAD, CONTROL, region_queue(settings.REGION)))
task_queues = [Queue(name, Exchange(name), routing_key=name) for name in _NAMES]
task_default_queue = CONTROL
task_create_missing_queues = False  # a misspelt queue is an error, not a place where tasks wait for ever
task_routes = {"runs.tasks.execute_shard": {"queue": LOAD}}
# Publishing happens in web requests: two quick tries, then the reaper's turn.
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5}

# Acknowledged when it starts (Celery's default): an execution may last for days, far beyond any visibility timeout.
task_acks_late = False
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # a shard must not wait behind a busy worker while another one is idle
worker_soft_shutdown_timeout = 5.0
worker_cancel_long_running_tasks_on_connection_loss = False  # a restart of the broker must not end runs
worker_max_tasks_per_child = 100  # bounds what a leak in a long-lived child can cost
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_send_task_events = False
worker_enable_remote_control = False  # nothing needs it, and it would let the broker's clients stop a worker

timezone = settings.TIME_ZONE
beat_scheduler = "runs.schedules.beat:LeaderScheduler"
beat_max_loop_interval = 5  # a schedule changed in the admin takes effect within 5 s


def _every(task: str, seconds: float) -> dict[str, Any]:
    """Without an expiry, which the worker would judge by a clock of its own: two minutes off, and it would throw
    everything away. What keeps a backlog from growing is `runs.schedules.beat`."""
    return {"task": task, "schedule": seconds}


# Each name is that of a row in the database: under another one a site would have two of it after an update.
beat_schedule = {
    "Reap lost runs": _every("runs.tasks.reap", REAP_EVERY_S),
    "Start what schedules say": _every("runs.tasks.start_due", SLOTS_EVERY_S),
    "Tell webhooks": _every("runs.tasks.deliver", WEBHOOKS_EVERY_S),
    "Send the audit log": _every("runs.tasks.send_audit", AUDIT_EVERY_S),
    "Delete what was kept long enough": _every("runs.tasks.prune", PRUNE_EVERY_S),
}
