"""The parser of `burn`: usage, options, and one line per error."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import NoReturn

from django.core.management.base import CommandParser

from tokenburn_site.cli.errors import EXIT_USAGE
from tokenburn_site.cli.options.burn_options import GROUPS, spelled

USAGE = """\
%(prog)s (--url URL --preset NAME | --target NAME)
       (--prompt TEXT | --scenario NAME|FILE|DIR | --synthetic S)
       (--users N | --rate R | --trace FILE)
       (--duration T | --stages S | --conversations N) [options]"""
DESCRIPTION = """\
Load-test a chatbot: hold many conversations with it at once and report what
its users would experience. Needs no server, no broker and no configuration."""
EPILOG = """\
examples:
  burn --url http://127.0.0.1:8000/v1 --preset openai-chat --stream \\
       --prompt "Tell me a story" --users 20 --duration 30s
  burn --url https://api.openai.com/v1 --preset openai-chat --model gpt-4o-mini \\
       --scenario ./conversations/ --users 50 --conversations 200 \\
       --threshold 'e2e_ms.p95<3000' --json result.json
  burn --target staging --prompt Hello --rate 20/s --duration 2m

secrets:
  never on the command line: {{ secret.api_key }} in a preset is read from the
  environment variable TOKENBURN_SECRET_API_KEY, and so on for every name.
  A stored --target has its own.

exit codes:
  0 done   1 a threshold was missed, or the target stopped answering   2 bad usage
  3 the run failed, was aborted, or was stopped from elsewhere (manage.py stop)
  130 interrupted (Ctrl-C, SIGTERM, or its terminal was closed)"""


class OneLineParser(CommandParser):
    """Says one line where argparse would print its usage first."""

    command = "burn"

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.command}: {' '.join(message.split())}; see {self.command} --help\n")


def new_parser(prog: str) -> OneLineParser:
    """A parser without options, for `add_options`."""
    return OneLineParser(
        prog=prog,
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_options(parser: ArgumentParser) -> None:
    for group in GROUPS:
        group.add(parser, spelled)
