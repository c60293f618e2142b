"""`manage.py reset_second_factor`: for a user who has lost the app and the recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import second_factor, sessions
from accounts.management.users import named
from audit.services import record
from plain_text.visible import visible


class Command(BaseCommand):
    help = "Remove a user's second factor and end the user's log-ins."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name")

    def handle(self, *args: Any, **options: Any) -> None:
        user = named(options["user"])
        if not second_factor.remove(user):
            raise CommandError(f"{visible(str(user))} has no second factor")
        sessions.end_all(user)
        record("second_factor.reset", on=user, door="cli")
        self.stdout.write(visible(f"removed the second factor of {user}; all log-ins have ended"))
