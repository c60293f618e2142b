"""`manage.py prove`: read a host's proof that it may be tested, or print what it has to publish."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from plain_text.visible import visible
from policy.ownership import PATH, VALID_DAYS, ProofError, prove, token
from tokenburn_site.cli.database import ensure_database
from tokenburn_site.cli.errors import BurnError


class Command(BaseCommand):
    help = "Read a host's proof that it may be tested; without an address: print what a host has to publish"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", nargs="?", help="such as https://api.example.org")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ensure_database()
            if options["url"] is None:
                self.stdout.write(f"publish the text {token()} at {PATH}")
                return
            self.stdout.write(visible(f"{prove(options['url'])} may be tested for {VALID_DAYS} days"))
        except (BurnError, ProofError) as exc:
            raise CommandError(visible(str(exc))) from exc
