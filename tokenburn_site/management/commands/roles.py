"""`manage.py roles`: make the groups of the roles, or give them their permissions again."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from tokenburn_site.config.roles import ROLES


class Command(BaseCommand):
    help = "Create the groups viewer and operator. Groups of these names get exactly the permissions of their roles."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            for role, rights in ROLES.items():
                group, made = Group.objects.get_or_create(name=role)
                group.permissions.set(_permissions(rights))
                if options["verbosity"]:
                    self.stdout.write(
                        f"{role}: {'created' if made else 'set'}, {group.permissions.count()} permissions"
                    )


def _permissions(rights: dict[str, tuple[str, ...]]) -> list[Permission]:
    found = []
    for label, verbs in rights.items():
        app, model = label.split(".")
        names = [verb if "_" in verb else f"{verb}_{model}" for verb in verbs]
        rows = list(Permission.objects.filter(content_type__app_label=app, codename__in=names))
        if len(rows) != len(names):
            raise CommandError(f"{label}: not all of {', '.join(names)} exist: run `manage.py migrate` first")
        found += rows
    return found
