"""`manage.py probe`: see tokenburn_site/probe/ and docs/targets.md."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from tokenburn_site.management.commands import burn
from tokenburn_site.probe.options import add_options, new_parser


class Command(burn.Command):
    help = "Say something to a chatbot and show all that can be seen of it"

    def empty_parser(self, prog: str) -> CommandParser:
        return new_parser(prog)

    def add_own_options(self, parser: CommandParser) -> None:
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        from tokenburn_site.probe.main import main

        code = main(options)
        if code:
            sys.exit(code)
