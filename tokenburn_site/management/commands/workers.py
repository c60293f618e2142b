"""`manage.py workers`: list the live workers."""

from __future__ import annotations

from argparse import ArgumentParser
from io import StringIO
from typing import Any

import orjson
import redis
from django.core.management.base import BaseCommand, CommandError
from rich.table import Table

from plain_text.console import PlainConsole
from plain_text.visible import visible
from tokenburn_site.web.workers import AWAY, clock_text, farm

RIGHT = {"slots", "busy", "load", "cores", "dropped"}


class Command(BaseCommand):
    help = "List the live workers with host, region, slots, load and version."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON as the API returns it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = farm()
        except (redis.RedisError, OSError) as exc:
            raise CommandError(f"{AWAY}: start it, or set REDIS_URL") from exc
        if options["json"]:
            self.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("worker", "host", "region", "slots", "busy", "load", "cores", "clock", "dropped", "version"):
            table.add_column(heading, justify="right" if heading in RIGHT else "left")
        for worker in found["workers"]:
            version = worker["version"] or "unknown"
            version += "" if worker["same_version"] else " (not the site's)"
            cells = (worker[name] for name in ("name", "host", "region", "slots", "busy", "load1", "cpus"))
            last = (clock_text(worker["clock_offset_ms"]), str(worker["dropped"]), visible(version))
            table.add_row(*(visible(str(cell)) for cell in cells), *last)
        drawn = StringIO()
        PlainConsole(file=drawn, width=None if self.stdout.isatty() else 200).print(table)
        self.stdout.write(drawn.getvalue().rstrip())
        self.stdout.write(f"{found['busy']} of {found['slots']} load slots in use")
