"""`manage.py stop`: stop a run cleanly, as Ctrl-C does in its own terminal."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from audit.origin import account_name
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.parser import OneLineParser
from tokenburn_site.cli.steer import stop
from tokenburn_site.management.commands import burn


class StopParser(OneLineParser):
    command = "stop"


class Command(burn.Command):
    help = "Stop a run: engines send nothing new after a few seconds, and the report has the partial results"

    def empty_parser(self, prog: str) -> CommandParser:
        return StopParser(prog=prog, description=self.help, allow_abbrev=False)

    def add_own_options(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=values.run, metavar="RUN", help="number of the run")

    def handle(self, *args: Any, **options: Any) -> None:
        code = stop(options["run"], account_name())
        if code:
            sys.exit(code)
