"""`manage.py burn`: see tokenburn_site/cli/burn/ and docs/burn.md."""

from __future__ import annotations

import shlex
import sys
from argparse import SUPPRESS
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tokenburn_site.cli.options.burn_options import present_names
from tokenburn_site.cli.options.parser import add_options, new_parser


class Command(BaseCommand):
    help = "Load-test a chatbot and report what its users would experience"
    requires_system_checks: list[str] = []  # half a second, and `check` has its own command
    typed = "manage.py burn"

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's own options stay but are not listed; its parser would print the whole usage before each error."""
        parser = self.empty_parser(f"{prog_name} {subcommand}".strip())
        for flag in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
            parser.add_argument(flag, action="store_true", help=SUPPRESS)
        parser.add_argument("--settings", help=SUPPRESS)
        parser.add_argument("--pythonpath", help=SUPPRESS)
        parser.add_argument("-v", "--verbosity", type=int, default=1, help=SUPPRESS)
        self.add_own_options(parser)
        return parser

    def empty_parser(self, prog: str) -> CommandParser:
        return new_parser(prog)

    def add_own_options(self, parser: CommandParser) -> None:
        add_options(parser)

    def run_from_argv(self, argv: list[str]) -> None:
        self.typed = shlex.join([*(["python"] if argv[0].endswith(".py") else []), *present_names(argv)])
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        from tokenburn_site.cli.burn.main import burn

        code = burn(options, self.typed)
        if code:
            sys.exit(code)
