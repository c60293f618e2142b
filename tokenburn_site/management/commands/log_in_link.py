"""`manage.py log_in_link`: the emergency door."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts.emergency import LINK_S, key_for
from accounts.management.users import named
from audit.services import record
from plain_text.visible import visible
from tokenburn_site.local.lock import DEFAULT_SITE, present_site


class Command(BaseCommand):
    help = "Print a link that logs a user in once, when passwords or single sign-on do not work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = named(options["user"])
        if not (user.is_active and user.is_staff):
            raise CommandError(f"{visible(str(user))} is not active staff, so that a log-in would be refused")
        record("login.link.create", on=user, door="cli")
        root = present_site() or DEFAULT_SITE
        self.stderr.write(f"valid for {LINK_S // 60} minutes and one log-in; a second factor is still asked for:")
        self.stdout.write(f"{root}{reverse('accounts:emergency')}?key={key_for(user)}")
