"""`manage.py load`: change the load of a running test."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from audit.origin import account_name
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.parser import OneLineParser
from tokenburn_site.cli.steer import change
from tokenburn_site.management.commands import burn


class LoadParser(OneLineParser):
    command = "load"


class Command(burn.Command):
    help = "Change the load of a running test: its users, its rate, or the speed of its trace"

    def empty_parser(self, prog: str) -> CommandParser:
        return LoadParser(prog=prog, description=self.help, allow_abbrev=False)

    def add_own_options(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=values.run, metavar="RUN", help="number of the run")
        to = parser.add_mutually_exclusive_group(required=True)
        to.add_argument(
            "--users", type=values.level, metavar="N", help="number of users (closed loop); 0 pauses the load"
        )
        to.add_argument(
            "--rate", type=values.level_rate, metavar="R", dest="rate_per_s", help="rate of arrivals (open loop): 50/s"
        )
        to.add_argument("--speed", type=float, metavar="X", help="speed of a trace: 2 is twice as fast as recorded")

    def handle(self, *args: Any, **options: Any) -> None:
        name = next(name for name in ("users", "rate_per_s", "speed") if options[name] is not None)
        code = change(options["run"], name, options[name], account_name())
        if code:
            sys.exit(code)
