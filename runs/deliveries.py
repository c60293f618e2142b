"""Messages to webhooks on their way: again and again until each was taken or given up. A receiver may get one twice,
with the same id: it was taken, and this side died before it wrote that down."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.conf import settings
from django.db.models import F, Q, QuerySet

from runs.dbclock import DATABASE_AWAY, DbNow, ahead
from runs.leader import Leadership
from runs.schedule_models import DeliveryStatus, Webhook, WebhookDelivery
from runs.webhook_post import Posted, post
from runs.webhook_text import headers, message
from targets.secrets import SecretsError

logger = logging.getLogger(__name__)
BACKOFF_S: tuple[float, ...] = (10.0, 30.0, 120.0, 420.0)
"""How long after each try the next one comes; one more try than there are pauses, in about ten minutes."""
AT_ONCE: Final = 8
LONGEST_TRY_S: Final = 20.0
"""Connecting and sending have deadlines that come to less."""
PASS_S: Final = 20.0
"""After so long a pass takes nothing new: other tasks wait for the worker."""
TEST_LATER_S: Final = 3600.0


def deliver_due() -> int:
    """Try what is due; the number that was taken. One process at a time: the others find nothing to do."""
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
    """Send a test message now, once; what became of it."""
    made = WebhookDelivery.objects.create(webhook=webhook, attempts=len(BACKOFF_S) + 1, next_at=DbNow(TEST_LATER_S))
    _try([made])
    made.refresh_from_db()
    return made


def _due() -> QuerySet[WebhookDelivery]:
    """Also those whose next try lies further ahead than any pause: the clock was put back since."""
    return WebhookDelivery.objects.filter(Q(next_at__lte=DbNow()) | _too_far(), status=DeliveryStatus.PENDING)


def _too_far() -> Q:
    found = Q(attempts__gt=len(BACKOFF_S)) & ahead("next_at", TEST_LATER_S)
    for attempts, pause_s in enumerate((0.0, *BACKOFF_S)):
        found |= Q(attempts=attempts) & ahead("next_at", max(pause_s, LONGEST_TRY_S))
    return found


def _claim() -> list[WebhookDelivery]:
    """Deliveries to be tried now. Should this process die, each comes again when its next try would."""
    due, claimed = _due(), []
    for row in due.select_related("webhook", "run__plan").order_by("next_at")[:AT_ONCE]:
        pause_s = BACKOFF_S[min(row.attempts, len(BACKOFF_S) - 1)]
        same = due.filter(pk=row.pk, attempts=row.attempts)
        if same.update(attempts=F("attempts") + 1, next_at=DbNow(max(pause_s, LONGEST_TRY_S))):
            row.attempts += 1
            claimed.append(row)
    return claimed


def _try(deliveries: Iterable[WebhookDelivery]) -> int:
    """Send them, all at once, and write down what became of each; the number that was taken."""
    prepared = [(row, _prepare(row)) for row in deliveries]
    with ThreadPoolExecutor(AT_ONCE, "webhook") as threads:
        sent = [(row, work if isinstance(work, Posted) else threads.submit(work)) for row, work in prepared]
        results = [(row, work if isinstance(work, Posted) else work.result()) for row, work in sent]
    return sum(_note(row, result) for row, result in results)


def _prepare(delivery: WebhookDelivery) -> Callable[[], Posted] | Posted:
    """What a thread is to do, which uses no database; or why there is nothing to do."""
    webhook = delivery.webhook
    if delivery.run_id and not webhook.enabled:
        return Posted(0, "the webhook was switched off")
    try:
        values = webhook.get_secrets()
        url, key = values["url"], values.get("key", "")
        body = message(delivery)
    except SecretsError as exc:
        return Posted(0, f"its address cannot be opened: {exc}")
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
    if delivery.attempts > len(BACKOFF_S):
        mine.update(status=DeliveryStatus.FAILED, **seen)
        logger.warning("webhook_given_up: %s: %s", delivery.webhook.name, result.error)
    else:
        mine.update(next_at=DbNow(BACKOFF_S[delivery.attempts - 1]), **seen)
    return False
