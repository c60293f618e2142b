"""Hosts whose owners let this installation test them."""

from __future__ import annotations

import secrets
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce


def _new_token() -> str:
    return secrets.token_hex(16)


class ProofToken(models.Model):
    """One row: what the owner of a host publishes. It is no secret, and nobody else's installation has it."""

    ONLY: Final = 1
    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    token = models.CharField(max_length=64, default=_new_token)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.token


class OwnedHost(models.Model):
    """A host that published the token."""

    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: all ports, because the proof was at port 80 or 443."
    )
    proved_at = models.DateTimeField(auto_now=True)
    proved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["host", "port"]
        verbose_name = "proved host"
        default_permissions = ("view", "add", "delete")
        constraints = [
            models.UniqueConstraint("host", Coalesce("port", 0), name="owned_host_once"),
        ]

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"
