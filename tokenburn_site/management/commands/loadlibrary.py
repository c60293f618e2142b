"""`manage.py loadlibrary`: the built-in scenarios into the database, after an update too. `up` does it by itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from tokenburn_site.first_start import offer_library


class Command(BaseCommand):
    help = "Put the built-in scenarios into the database, or bring them up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{offer_library()} built-in scenarios are in the database")
