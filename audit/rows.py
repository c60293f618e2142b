"""Every row that a person creates, changes or deletes, of any model, through any door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, Field, FloatField, IntegerField, Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from audit.origin import current
from audit.services import record

QUIET = frozenset(
    {
        "accounts.logingeneration",
        "accounts.recoverycode",
        "accounts.secondfactor",
        "admin.logentry",
        "audit.auditchain",
        "audit.auditevent",
        "audit.auditoutlet",
        "audit.audittally",
        "auth.permission",
        "axes.accessattempt",
        "axes.accessattemptexpiration",
        "axes.accessfailurelog",
        "axes.accesslog",
        "contenttypes.contenttype",
        "django_celery_beat.periodictasks",
        "metrics.sessionmetric",
        "metrics.window",
        "migrations.migration",
        "policy.panic",
        "runs.approval",
        "runs.installation",
        "runs.leader",
        "runs.quotause",
        "runs.run",
        "runs.scheduleslot",
        "runs.session",
        "runs.shard",
        "runs.webhookdelivery",
        "sessions.session",
    }
)
"""Written by the site itself, or recorded by its own action (`run.start`). Rows of migrations are written before the
audit log has a table: `up` and `burn` migrate too."""
UNTOLD = frozenset(
    {
        "date_changed",
        "handled_until",
        "last_login",
        "last_run_at",
        "last_used",
        "last_used_at",
        "last_used_from",
        "since",
        "timing_seen",
        "total_run_count",
        "updated_at",
    }
)
"""Fields that follow from a deed or from use."""
BEFORE = "_audit_before"
PLAIN = (BooleanField, FloatField, IntegerField)
"""Kinds of fields whose values are recorded."""


def connect() -> None:
    for signal, receiver in ((pre_save, _before), (post_save, _saved), (post_delete, _deleted), (m2m_changed, _linked)):
        signal.connect(receiver, dispatch_uid=f"audit.{receiver.__name__}")


def _watched(sender: type[Model]) -> bool:
    if current() is None or sender.__module__ == "__fake__":  # a model as a migration sees it
        return False
    concrete = sender._meta.concrete_model or sender
    return concrete._meta.label_lower not in QUIET and not sender._meta.auto_created


def _kind(row: Model) -> str:
    return str((row._meta.concrete_model or type(row))._meta.model_name)


def _before(
    sender: type[Model], instance: Model, raw: bool, using: str, update_fields: frozenset[str] | None, **_: Any
) -> None:
    if raw or not _watched(sender) or instance.pk is None or (update_fields and update_fields <= UNTOLD):
        return
    setattr(instance, BEFORE, sender._base_manager.using(using).filter(pk=instance.pk).first())


def _saved(sender: type[Model], instance: Model, raw: bool, created: bool, **_: Any) -> None:
    before: Model | None = instance.__dict__.pop(BEFORE, None)
    if raw or not _watched(sender):
        return
    if created:
        record(f"{_kind(instance)}.create", on=instance)
    elif before is not None and (changed := list(_changed(before, instance))):
        record(f"{_kind(instance)}.edit", on=instance, details=_told(changed, before, instance))


def _changed(before: Model, after: Model) -> Iterable[Field[Any, Any]]:
    for field in after._meta.concrete_fields:
        if field.name in UNTOLD or field.attname not in after.__dict__:
            continue
        if getattr(before, field.attname) != field.to_python(after.__dict__[field.attname]):
            yield field


def _told(changed: list[Field[Any, Any]], before: Model, after: Model) -> dict[str, Any]:
    """The names of the fields; values only where a secret cannot be."""
    harmless = [field for field in changed if isinstance(field, PLAIN) or field.choices or field.is_relation]
    values = {field.name: [getattr(before, field.attname), getattr(after, field.attname)] for field in harmless}
    return {"fields": [field.name for field in changed], **({"values": values} if values else {})}


def _deleted(sender: type[Model], instance: Model, **_: Any) -> None:
    if _watched(sender):
        record(f"{_kind(instance)}.delete", on=instance)


def _linked(sender: type[Model], instance: Model, action: str, model: type[Model], pk_set: Any, **_: Any) -> None:
    """Such as the permissions of a group and the groups of a user."""
    if not _watched(type(instance)) or action not in {"post_add", "post_remove", "post_clear"}:
        return
    names = sorted(map(str, model._base_manager.filter(pk__in=pk_set or ())))
    if names or action == "post_clear":
        told = {"fields": [str(model._meta.verbose_name_plural)], action.removeprefix("post_"): names}
        record(f"{_kind(instance)}.edit", on=instance, details=told)
