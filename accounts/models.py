"""The tables."""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.utils import timezone

NAME_CHARS: Final = 80
START_CHARS: Final = 8


class ApiToken(models.Model):
    """A key for programs. The key itself is shown once and not stored: only its digest is."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", editable=False)
    name = models.CharField(max_length=NAME_CHARS, help_text="What uses it, such as “nightly CI”.")
    start = models.CharField(max_length=START_CHARS, editable=False)
    """The first characters of the key, by which its owner recognizes it."""
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, blank=True, editable=False)

    key = ""
    """Set by whoever has just made the token; not a column."""

    class Meta:
        verbose_name = "API token"
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    @property
    def state(self) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "active"
