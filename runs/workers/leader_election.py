"""Leader election by a lease in a row, with the database's clock.

Nothing may depend on there being one leader alone: a process that was stopped for longer than its lease does one more
step before it sees that another one leads.
"""

from __future__ import annotations

import logging
import os
import secrets
import time

from django.db.models import Q

from runs.db_clock import DbNow, ahead
from runs.models import Leader
from runs.workers.leases import host_name

logger = logging.getLogger(__name__)
LEASE_S = 5.0
"""Maximum time without a leader after the leader was killed."""
RENEW_S = 1.0
"""How often the leader renews its lease, and how often others try."""


class Leadership:
    """This process's claim to `name`. For one thread."""

    def __init__(self, name: str, lease_s: float = LEASE_S, renew_s: float = RENEW_S) -> None:
        self.name = name
        self.renew_s = renew_s
        self.holder = f"{host_name()}/{os.getpid()}/{secrets.token_hex(4)}"
        self._lease_s = lease_s
        self._renew_at = 0.0
        self._known = False

    def leads(self) -> bool:
        """Whether this process leads now; asks the database at most every `renew_s` while it does."""
        return time.monotonic() < self._renew_at or self.hold()

    def hold(self) -> bool:
        """Take or renew the lease. False if another process holds it. A lease that ends later than any that is given
        was written before the clock was put back, and counts as free."""
        asked = time.monotonic()
        self._renew_at = 0.0
        if not self._known:
            Leader.objects.bulk_create([Leader(name=self.name, until=DbNow(-1.0))], ignore_conflicts=True)
            self._known = True
        mine = self._take(Q(holder=self.holder) | Q(until__lt=DbNow()))
        if not mine and self._take(ahead("until", self._lease_s)):
            logger.warning("clock_put_back: the lease of %s ended too far ahead: it is taken over", self.name)
            mine = True
        self._known = mine
        if mine:
            self._renew_at = asked + self.renew_s
        return mine

    def _take(self, free: Q) -> bool:
        rows = Leader.objects.filter(free, name=self.name)
        return rows.update(holder=self.holder, until=DbNow(self._lease_s)) == 1

    def release(self) -> None:
        """Let another process lead immediately."""
        self._renew_at = 0.0
        Leader.objects.filter(name=self.name, holder=self.holder).update(until=DbNow(-1.0))
