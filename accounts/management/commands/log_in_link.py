"""`manage.py log_in_link`: the emergency door."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from accounts.emergency import LINK_S, key_for
from audit.services import record
from plain_text.visible import visible


class Command(BaseCommand):
    help = "Print a link that logs a user in once, when passwords or single sign-on do not work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model()._default_manager.filter(username=options["user"]).first()
        if user is None or not (user.is_active and user.is_staff):
            raise CommandError(f"there is no active user {visible(options['user'])} with staff status")
        record("login.link.create", on=user, door="cli")
        root = settings.SITE_URL.rstrip("/") or "http://127.0.0.1:8000"
        self.stderr.write(f"valid for {LINK_S // 60} minutes and one log-in; a second factor is still asked for:")
        self.stdout.write(f"{root}{reverse('accounts:emergency')}?key={key_for(user)}")
