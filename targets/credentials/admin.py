"""Credentials in the admin. Values are write-only; only their names are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.timezone import localtime

from inputs.admin_lookups import SealedColumns
from sealing.secrets import SecretsError
from targets.credentials import rights
from targets.credentials.forms import CredentialForm
from targets.credentials.models import Credential
from targets.credentials.values import stored_names

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    CredentialBase = ModelAdmin[Credential]
else:
    from unfold.admin import ModelAdmin as CredentialBase

SHOWN = 5
COLUMNS: Final = frozenset({"name", "origins", "owner"})
SECRETS: Final = frozenset({"secret_name", "secret_value", "clear_secrets"})


def names_text(credential: Credential | None) -> str:
    """The names of its secrets, for people."""
    try:
        return ", ".join(stored_names(credential)) or "none"
    except SecretsError as exc:
        return f"cannot be decrypted: {exc}"


def users_of(credential: Credential) -> list[str]:
    """The targets that use it, and the runs in progress."""
    rows: list[Any] = [*credential.targets.all(), *credential.runs.all()]
    return [str(row) for row in rows]


@admin.register(Credential)
class CredentialAdmin(SealedColumns, CredentialBase):
    form = CredentialForm
    list_display = ["name", "owner_name", "origins_text", "used_by", "last_used"]
    list_display_links = ["name"]
    search_fields = ["name"]
    list_select_related = ["owner"]
    readonly_fields = ["stored_secrets", "used_by", "last_used"]
    warn_unsaved_form = True
    fieldsets = [
        (None, {"fields": ["name", "origins", "used_by", "last_used"]}),
        ("Secrets", {"fields": ["stored_secrets", "secret_name", "secret_value", "clear_secrets"]}),
        ("Who may use it", {"fields": ["owner", "users", "groups"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Credential]:
        return rights.visible(request.user).prefetch_related("targets")

    def get_form(self, request: HttpRequest, obj: Credential | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.user = request.user
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Credential | None = None) -> list[str]:
        names = [str(name) for name in super().get_readonly_fields(request, obj)]
        if not getattr(request.user, "is_superuser", False):
            names.append("owner")
        if obj is not None and not rights.may_share(request.user, obj):
            names += ["users", "groups"]
        return names

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return rights.may_create(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Credential | None = None) -> bool:
        found = rights.visible(request.user)
        if obj is not None:
            return found.filter(pk=obj.pk).exists()
        return request.user.has_perm(rights.VIEW) or rights.may_create(request.user) or found.exists()

    def has_change_permission(self, request: HttpRequest, obj: Credential | None = None) -> bool:
        if obj is None:
            return self.has_view_permission(request)
        return rights.may_edit(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Credential | None = None) -> bool:
        if obj is None:
            return self.has_view_permission(request)
        return rights.may_delete(request.user, obj)

    def get_deleted_objects(
        self, objs: Iterable[Credential], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What the page lists before it deletes. Targets and runs in progress that need one block the deletion."""
        found = list(objs)
        needed = [f"{credential} is needed by {row}" for credential in found for row in users_of(credential)]
        is_allowed = all(rights.may_delete(request.user, credential) for credential in found)
        forbidden = set() if is_allowed else {str(self.opts.verbose_name)}
        return [str(one) for one in found], {str(self.opts.verbose_name_plural): len(found)}, forbidden, needed

    def save_model(self, request: HttpRequest, obj: Credential, form: Any, change: bool) -> None:
        """Of a stored one only what was changed, as over the API."""
        if change:
            columns = [name for name in form.changed_data if name in COLUMNS]
            secrets = ["sealed_secrets"] if SECRETS.intersection(form.changed_data) else []
            obj.save(update_fields=[*columns, *secrets, "updated_at"])
            return
        if obj.owner_id is None:
            obj.owner_id = request.user.pk
        super().save_model(request, obj, form, change)

    @admin.display(description="Stored secrets")
    def stored_secrets(self, credential: Credential) -> str:
        return names_text(credential)

    @admin.display(description="Owner", ordering="owner__username")
    def owner_name(self, credential: Credential) -> str:
        return "none: administrators only" if credential.owner is None else str(credential.owner)

    @admin.display(description="Origins")
    def origins_text(self, credential: Credential) -> str:
        return ", ".join(credential.origins)

    @admin.display(description="Last used", ordering="last_used_at")
    def last_used(self, credential: Credential) -> str:
        """By a test message or a run."""
        at = credential.last_used_at
        return "never" if at is None else localize(localtime(at))

    @admin.display(description="Targets")
    def used_by(self, credential: Credential) -> str:
        names = sorted(str(target) for target in credential.targets.all()) if credential.pk else []
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return ", ".join(names[:SHOWN]) + more or "none"
