"""`manage.py up`: the whole site on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
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


def _password(options: Mapping[str, Any]) -> str | None:
    """The administrator's new password. Raises LocalServiceError."""
    if options["admin_password"] is not None:
        say("up", "--admin-password shows the password in the list of processes: use --admin-password-file")
        return str(options["admin_password"])
    if options["ask_admin_password"]:
        return getpass("New password of admin: ")
    if (name := options["admin_password_file"]) is None:
        return os.environ.get("TOKENBURN_ADMIN_PASSWORD") or None
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise LocalServiceError("bad_password", f"--admin-password-file {name}: cannot be read: {exc}") from exc
    if not (first := text.partition("\n")[0].removesuffix("\r")):
        raise LocalServiceError("bad_password", f"--admin-password-file {name}: its first line is empty")
    return first


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
            "--admin-password-file",
            metavar="FILE",
            help="set the password of the user admin to the first line of FILE, - for stdin (or set "
            "TOKENBURN_ADMIN_PASSWORD); default: show a new one once",
        )
        parser.add_argument("--ask-admin-password", action="store_true", help="the same, typed at a prompt")
        parser.add_argument("--admin-password", metavar="TEXT", help=SUPPRESS)  # until 1.0: every process can read it

    def handle(self, *args: Any, **options: Any) -> None:
        for line in settings.WIDE_FILES:
            say("up", line)
        stop = Event()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: stop.set())
        try:
            options["admin_password"] = _password(options)
            known = {name: options[name] for name in UpOptions.__dataclass_fields__}
            run_up(UpOptions(**known), self._say, stop)
        except LocalServiceError as exc:
            say("up", str(exc))
            sys.exit(BAD_START)

    def _say(self, text: str) -> None:
        self.stdout.write(visible(text, lines=True))
        self.stdout.flush()
