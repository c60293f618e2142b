"""What groups and the whole installation may do."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce

from policy.hosts import parse

MOST: Final = 10**15
AT_ONCE: Final = "At the same time, in all runs that wait or run."
A_DAY: Final = "In 24 hours."
APPROVAL: Final = "Above it another person has to approve the run."


def whole(name: str, text: str = "") -> Any:
    """A limit that is a whole number. Empty: no limit."""
    return models.BigIntegerField(
        name, null=True, blank=True, help_text=text, validators=[MinValueValidator(0), MaxValueValidator(MOST)]
    )


def number(name: str, text: str = "") -> Any:
    """A limit that may be a fraction. Empty: no limit."""
    return models.FloatField(
        name, null=True, blank=True, help_text=text, validators=[MinValueValidator(0.0), MaxValueValidator(float(MOST))]
    )


ONCE: Final = "There is such a policy already (for this group, or the default): change that one."


class Policy(models.Model):
    """What the members of a group may do; without a group, everybody who is in no group with a policy. An empty limit
    is none."""

    group = models.OneToOneField(
        Group,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="policy",
        help_text="Empty: the default, for everybody in no group that has a policy.",
    )
    targets = models.TextField(
        "allowed targets",
        blank=True,
        default="",
        help_text="One a line, such as https://api.example.org, *.example.org:8443 or 10.20.0.0/16:*. Empty: all.",
    )
    users = whole("users", "Simulated users, or open conversations.")
    arrivals_per_s = number("conversations per second", "Of an open loop or a trace, at its peak.")
    turns_per_s = number("turns per second")
    duration_s = number("duration (s)")
    tokens = whole("tokens", "Input and output.")
    cost = number("cost", "In the currency of the load's prices.")
    person_users = whole("users of one person", AT_ONCE)
    person_arrivals_per_s = number("conversations per second of one person", AT_ONCE)
    person_day_turns = whole("turns of one person", A_DAY)
    person_day_tokens = whole("tokens of one person", A_DAY)
    person_day_cost = number("cost of one person", A_DAY)
    approve_users = whole("users without approval", APPROVAL)
    approve_arrivals_per_s = number("conversations per second without approval", APPROVAL)
    approve_duration_s = number("duration without approval (s)", APPROVAL)
    approve_tokens = whole("tokens without approval", APPROVAL)
    approve_cost = number("cost without approval", APPROVAL)
    binds_superusers = models.BooleanField(default=True, help_text="Whether it holds for superusers too.")

    class Meta:
        ordering = ["group__name"]
        verbose_name_plural = "policies"
        constraints = [
            models.UniqueConstraint(Coalesce("group", 0), name="policy_group_once", violation_error_message=ONCE)
        ]

    def __str__(self) -> str:
        return "default policy" if self.group is None else f"policy of {self.group}"

    def clean(self) -> None:
        try:
            parse(self.targets)
        except ValueError as exc:
            raise ValidationError({"targets": str(exc)}) from exc


class InstallationLimits(models.Model):
    """What all runs together may do. One row, or none: no limits."""

    ONLY: Final = 1
    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    users = whole("users", AT_ONCE)
    arrivals_per_s = number("conversations per second", AT_ONCE)
    day_turns = whole("turns", A_DAY)
    day_tokens = whole("tokens", A_DAY)
    day_cost = number("cost", A_DAY)
    binds_superusers = models.BooleanField(default=True, help_text="Whether they hold for superusers too.")

    class Meta:
        verbose_name = verbose_name_plural = "limits of the installation"

    def __str__(self) -> str:
        return "limits of the installation"
