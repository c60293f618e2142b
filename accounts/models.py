"""The tables."""

from __future__ import annotations

import uuid
from typing import ClassVar, Final

from django.conf import settings
from django.db import models
from django.utils import timezone

NAME_CHARS: Final = 80
START_CHARS: Final = 8
SSO_CHARS: Final = 255


class WithoutPages(models.Model):
    """Rows that no page shows need no permissions."""

    class Meta:
        abstract = True
        default_permissions = ()


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


class SecondFactor(WithoutPages):
    """The key of a user's authenticator app (TOTP, RFC 6238)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="second_factor")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sealed_secrets = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    """Null: shown, but its user has not yet shown that the app has it. Nothing is asked until then."""
    last_step = models.BigIntegerField(default=0, editable=False)
    """The time step of the last accepted code: no code is accepted twice."""
    failures = models.PositiveIntegerField(default=0, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"second factor of {self.user}"


class RecoveryCode(WithoutPages):
    """Stands in once for a code of the app."""

    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"recovery code {self.pk}"


class GroupRule(models.Model):
    """What is asked of the members of a group."""

    group = models.OneToOneField("auth.Group", models.CASCADE, related_name="rule")
    second_factor_required = models.BooleanField(
        default=False, help_text="Its members can do nothing until they have set up a second factor."
    )

    def __str__(self) -> str:
        return f"rule of {self.group}"


class LogInGeneration(WithoutPages):
    """Log-ins of an earlier generation have ended."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="log_in_generation")
    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"log-ins of {self.user}: {self.number}"


class SsoIdentity(models.Model):
    """Who a user is at the provider of single sign-on."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sso_identity")
    name = models.CharField(
        max_length=SSO_CHARS, help_text="The user's name at the provider (see TOKENBURN_OIDC_NAME_CLAIM)."
    )
    subject = models.CharField(max_length=SSO_CHARS, blank=True, editable=False)
    """The provider's lasting id of the user. Empty until the first log-in, which has to have the name."""
    issuer = models.CharField(max_length=SSO_CHARS, blank=True, editable=False)
    last_log_in = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "single sign-on identity"
        verbose_name_plural = "single sign-on identities"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], condition=~models.Q(subject=""), name="accounts_one_user_per_subject"
            ),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(subject=""), name="accounts_one_expected_user_per_name"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.subject or 'has not logged in yet'})"
