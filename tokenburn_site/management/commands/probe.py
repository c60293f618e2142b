"""`manage.py probe`: see tokenburn_site/cli/probe/ and docs/targets.md."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from tokenburn_site.cli.probe.options import add_options, new_parser
from tokenburn_site.management.commands import burn


class Command(burn.Command):
    help = "Send a message to a chatbot and show the exchange in full detail"

    def empty_parser(self, prog: str) -> CommandParser:
        return new_parser(prog)

    def add_own_options(self, parser: CommandParser) -> None:
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        from tokenburn_site.cli.probe.main import main

        code = main(options)
        if code:
            sys.exit(code)
