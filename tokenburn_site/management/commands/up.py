"""`manage.py up`: the whole site on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from plain_text.visible import visible
from runs.workers.regions import region_problem
from tokenburn_site.cli.console import say
from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.up import UpOptions, default_slots, run_up

BAD_START = 2


def _region(text: str) -> str:
    if text and (problem := region_problem(text)):  # empty, the default: anywhere
        raise ArgumentTypeError(problem)
    return text


class Command(BaseCommand):
    help = "Start broker, web site, workers, scheduler and mock chatbot on this machine. Ctrl-C stops them all."
    requires_system_checks: list[str] = []  # services report their own errors, and this command starts faster

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address of the web site (default %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port of the web site (default %(default)s)")
        parser.add_argument(
            "--workers",
            type=int,
            default=default_slots(),
            help="number of engines at a time (default: one per core, %(default)s)",
        )
        parser.add_argument(
            "--region",
            type=_region,
            default="",
            help="region of these engines, such as eu, for plans that name regions",
        )
        parser.add_argument("--no-mock", action="store_false", dest="mock", help="do not start the mock chatbot")
        parser.add_argument(
            "--mock-port", type=int, default=8100, help="port of the mock chatbot (default %(default)s)"
        )
        parser.add_argument("--valkey-port", type=int, help="port of the included broker (default: that of REDIS_URL)")
        parser.add_argument(
            "--admin-password",
            default=os.environ.get("TOKENBURN_ADMIN_PASSWORD"),
            help="set the password of the user admin (or TOKENBURN_ADMIN_PASSWORD); default: show a new one once",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        known = {name: options[name] for name in UpOptions.__dataclass_fields__}
        stop = Event()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: stop.set())
        try:
            run_up(UpOptions(**known), self._say, stop)
        except LocalServiceError as exc:
            say("up", str(exc))
            sys.exit(BAD_START)

    def _say(self, text: str) -> None:
        self.stdout.write(visible(text, lines=True))
        self.stdout.flush()
