"""The banner of the emergency stop, for every page of the site."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from policy.models.panic import USE_PANIC, Panic
from policy.panic import current


def context(request: HttpRequest) -> dict[str, Any]:
    """A context processor. The database is asked only where the template shows the banner, and only for staff."""
    user = getattr(request, "user", None)

    def panic_now() -> Panic | None:
        return current() if user is not None and user.is_active and user.is_staff else None

    return {"panic_now": panic_now, "may_panic": bool(user is not None and user.has_perm(USE_PANIC))}
