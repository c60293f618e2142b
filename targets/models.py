"""A chatbot endpoint."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from connectors.mapping.expressions import OF_TOOLS
from connectors.mapping.filters import BUDGET, Budget
from connectors.mapping.params import lacks_param
from connectors.mapping.templates import compile_value
from connectors.security.guard import never_allowed
from connectors.spec import SpecError, TargetSpec, build_target_spec, load_preset
from targets.credentials.models import Credential

__all__ = ["Credential", "Target"]


class Target(models.Model):
    """A preset, an address, and what differs from the preset. `targets.services` turns it into a TargetSpec."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    preset = models.CharField(max_length=60, default="openai-chat")
    url = models.CharField("URL", max_length=2000, help_text="Base address as the vendor's SDK takes it.")
    stream = models.BooleanField(default=False, help_text="Request a streamed answer.")
    params = models.JSONField(default=dict, blank=True, help_text='Values for the request, such as {"model": "m"}.')
    overrides = models.JSONField(default=dict, blank=True, help_text="Merged into the preset, key by key.")
    credential = models.ForeignKey(
        Credential,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="targets",
        help_text="Its secrets, used in templates as {{ secret.NAME }}.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_secrets(self) -> dict[str, str]:
        """Those of its credential. Raises `sealing.secrets.SecretsError` if they cannot be decrypted."""
        return {} if self.credential is None else self.credential.get_secrets()

    def clean(self) -> None:
        from django.core.exceptions import ValidationError

        try:
            load_preset(self.preset)
            spec = build_target_spec(
                name=self.name or "unnamed",
                url=self.url,
                preset=self.preset,
                stream=self.stream,
                params=_object(self.params, "params"),
                overrides=_object(self.overrides, "overrides"),
            )
            _check_templates(spec)
        except SpecError as exc:
            raise ValidationError(exc.by_field or str(exc)) from exc
        wrong = {"url": [refused] if (refused := never_allowed(self.url)) else []}
        wrong["params"] = [f"{name}: {why}" for name in self.params if (why := lacks_param(spec, name))]
        if found := {field: texts for field, texts in wrong.items() if texts}:
            raise ValidationError(found)


def _check_templates(spec: TargetSpec) -> None:
    """Raises SpecError for those that no params and secrets make right; a target may be stored before it has these."""
    fold: dict[str, Any] = {BUDGET: Budget()}  # constants are computed, all of them with one budget
    wanted = [("tool_results", spec.tool_results, fold | OF_TOOLS)]
    wanted += [(f"request.{name}", getattr(spec.request, name), fold) for name in ("path", "event", "headers", "body")]
    for where, value, known in wanted:
        try:
            compile_value(value, where, known)
        except SpecError as exc:
            raise SpecError(str(exc), {"overrides": str(exc)}) from exc


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SpecError(f"{name}: give a JSON object", {name: "give a JSON object"})
    return value
