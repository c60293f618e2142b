"""Sends webhook messages with retries. If this process dies between sending and recording, a receiver may get a message
twice, with the same id.

The pauses between tries are a table, not `runs.backoff`: the documentation names each, and a try is a row of the
database that another process may make, after days without a worker too, so that no loop could hold it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.conf import settings
from django.db.models import F, Q, QuerySet

from runs.db_clock import DATABASE_AWAY, DbNow, ahead
from runs.models import DeliveryStatus, Webhook, WebhookDelivery
from runs.webhooks.http_post import Posted, post
from runs.webhooks.payload import headers, message
from runs.workers.leader_election import Leadership
from sealing.secrets import SecretsError

logger = logging.getLogger(__name__)
BACKOFF_S: tuple[float, ...] = (10.0, 30.0, 120.0, 420.0)
"""Pause after each attempt; there is one more attempt than there are pauses, all within about ten minutes."""
AT_ONCE: Final = 8
LONGEST_TRY_S: Final = 20.0
"""Deadlines of connecting and sending are shorter than this."""
PASS_S: Final = 20.0
"""Duration after which a pass starts nothing new, because other tasks wait for the worker."""
FAR_AHEAD_S: Final = 3600.0
"""Further ahead than the time that stands in a row after its last attempt."""


def deliver_due() -> int:
    """Send what is due. Returns the number of deliveries. One process at a time; others find nothing to do."""
    if not _due().exists():
        return 0
    leadership = Leadership("webhooks", lease_s=LONGEST_TRY_S + 10)
    until, delivered = time.monotonic() + PASS_S, 0
    try:
        while time.monotonic() < until and leadership.hold() and (claimed := _claim()):
            delivered += _try(claimed)
    finally:
        leadership.release()
    return delivered


def send_test(webhook: Webhook) -> WebhookDelivery:
    """Send a test message now, once, and return the result. If this process dies, a worker sends it."""
    made = WebhookDelivery.objects.create(webhook=webhook, attempts=1, next_at=DbNow(LONGEST_TRY_S))
    _try([made])
    made.refresh_from_db()
    return made


def _due() -> QuerySet[WebhookDelivery]:
    """Includes deliveries whose next attempt lies further ahead than any pause: the clock was put back since."""
    return WebhookDelivery.objects.filter(Q(next_at__lte=DbNow()) | _too_far(), status=DeliveryStatus.PENDING)


def _too_far() -> Q:
    found = Q(attempts__gt=len(BACKOFF_S)) & ahead("next_at", FAR_AHEAD_S)
    for attempts, pause_s in enumerate((0.0, *BACKOFF_S)):
        found |= Q(attempts=attempts) & ahead("next_at", max(pause_s, LONGEST_TRY_S))
    return found


def _claim() -> list[WebhookDelivery]:
    """Deliveries to attempt now. If this process dies, each is due again at its next attempt."""
    due, claimed = _due(), []
    for row in due.select_related("webhook", "run__plan").order_by("next_at")[:AT_ONCE]:
        pause_s = BACKOFF_S[min(row.attempts, len(BACKOFF_S) - 1)]
        same = due.filter(pk=row.pk, attempts=row.attempts)
        if same.update(attempts=F("attempts") + 1, next_at=DbNow(max(pause_s, LONGEST_TRY_S))):
            row.attempts += 1
            claimed.append(row)
    return claimed


def _try(deliveries: Iterable[WebhookDelivery]) -> int:
    """Send all of them in parallel, and store the results. Returns their number."""
    prepared = [(row, _prepare(row)) for row in deliveries]
    with ThreadPoolExecutor(AT_ONCE, "webhook") as threads:
        sent = [(row, work if isinstance(work, Posted) else threads.submit(work)) for row, work in prepared]
        results = [(row, work if isinstance(work, Posted) else work.result()) for row, work in sent]
    return sum(_note(row, result) for row, result in results)


def _prepare(delivery: WebhookDelivery) -> Callable[[], Posted] | Posted:
    """The work for a thread, which uses no database; or why there is nothing to do."""
    webhook = delivery.webhook
    if delivery.run_id and not webhook.enabled:
        return Posted(0, "the webhook was switched off")
    try:
        values = webhook.get_secrets()
        url, key = values["url"], values.get("key", "")
        body = message(delivery)
    except SecretsError as exc:
        return Posted(0, f"its address cannot be decrypted: {exc}")
    except DATABASE_AWAY:
        raise
    except Exception as exc:
        logger.exception("webhook_unprepared: delivery %s", delivery.pk)
        return Posted(0, f"the message could not be made: {type(exc).__name__}")
    secrets = (key,) if key else ()
    lines = headers(delivery, body, key)
    return lambda: post(url, body, lines, allow_private=settings.ALLOW_PRIVATE, secrets=secrets)


def _note(delivery: WebhookDelivery, result: Posted) -> bool:
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING, attempts=delivery.attempts)
    seen = {"http_status": result.status or None, "error": result.error}
    if not result.error:
        mine.update(status=DeliveryStatus.DELIVERED, delivered_at=DbNow(), **seen)
        return True
    if result.refused or delivery.run_id is None or delivery.attempts > len(BACKOFF_S):
        mine.update(status=DeliveryStatus.FAILED, **seen)
        logger.warning("webhook_given_up: %s: %s", delivery.webhook.name, result.error)
    else:
        mine.update(next_at=DbNow(BACKOFF_S[delivery.attempts - 1]), **seen)
    return False
