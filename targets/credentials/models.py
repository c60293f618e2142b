"""A credential: sealed values, an owner, origins, and who may use it."""

from __future__ import annotations

import uuid
from typing import Final

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models

from sealing import secrets

SECRETS_COLUMN: Final = "targets.secrets"
"""What the sealed values are bound to, with the row's uid. Those of earlier versions were part of a target."""


class Credential(models.Model):
    """Secrets with the origins that they may go to. To use it and to edit it are separate rights: see
    `targets.credentials.rights`. Nobody can read its values."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="owned_credentials",
        help_text="May use, edit, share and delete it. Empty: only administrators may.",
    )
    origins = models.JSONField(
        default=list, help_text='Where its values may be sent, such as ["https://api.example.org:443"].'
    )
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="shared_credentials",
        help_text="May use it besides its owner: test targets with it, and plan and start runs.",
    )
    groups = models.ManyToManyField(
        Group, blank=True, related_name="shared_credentials", help_text="Groups whose members may use it."
    )
    sealed_secrets = models.TextField(default="", blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    last_used_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When a test message or a run last used it."
    )

    class Meta:
        ordering = ["name"]
        permissions = [("use_credential", "Can use every credential")]

    def __str__(self) -> str:
        return self.name

    def get_secrets(self) -> dict[str, str]:
        """The decrypted values. Raises `sealing.secrets.SecretsError` if they were sealed for another row or key."""
        return secrets.unseal(self.sealed_secrets, secrets.row_label(SECRETS_COLUMN, self.uid))

    def set_secrets(self, values: dict[str, str]) -> None:
        """Seal `values` for this row; call `save()` afterwards."""
        self.sealed_secrets = secrets.seal(values, secrets.row_label(SECRETS_COLUMN, self.uid))
