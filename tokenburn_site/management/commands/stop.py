"""`manage.py stop`: stop a run in order, as Ctrl-C does where it was started."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from tokenburn_site.burn import values
from tokenburn_site.burn.options import OneLineParser
from tokenburn_site.management.commands import burn
from tokenburn_site.steer import stop, whoever


class StopParser(OneLineParser):
    command = "stop"


class Command(burn.Command):
    help = "Stop a run: its engines send nothing new within seconds, and a report of what there is follows"

    def empty_parser(self, prog: str) -> CommandParser:
        return StopParser(prog=prog, description=self.help, allow_abbrev=False)

    def add_own_options(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=values.positive, metavar="RUN", help="its number")

    def handle(self, *args: Any, **options: Any) -> None:
        code = stop(options["run"], whoever())
        if code:
            sys.exit(code)
