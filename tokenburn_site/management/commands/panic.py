"""`manage.py panic`: stop everything, undo it, or say whether it is on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.origin import account_name
from metrics.number_format import counted
from plain_text.visible import visible
from policy.panic import current, words
from runs import panic
from tokenburn_site.cli.console import own_messages
from tokenburn_site.cli.database import ensure_database
from tokenburn_site.cli.errors import BurnError


class Command(BaseCommand):
    help = "Stop all runs now, refuse new ones and pause all schedules, until --undo. Works without the broker."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--undo", action="store_true", help="allow runs again and resume the schedules it paused")
        what.add_argument("--status", action="store_true", help="only say whether it is on; exit code 1 if it is")
        parser.add_argument("--reason", default="", help="shown on every page while it is on")

    @own_messages()
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ensure_database()
        except BurnError as exc:
            raise CommandError(str(exc)) from exc
        if options["status"]:
            self._status()
        elif options["undo"]:
            self._undo()
        else:
            made = panic.begin(by=account_name(), reason=options["reason"])
            runs, schedules = counted(len(made.stopped_runs), "run"), counted(len(made.paused_tasks), "schedule")
            self._say(f"{words(made)}: {runs} stopped, {schedules} paused; undo it with `manage.py panic --undo`")

    def _status(self) -> None:
        found = current()
        self._say("the emergency stop is off" if found is None else words(found))
        if found is not None:
            raise SystemExit(1)

    def _undo(self) -> None:
        undone = panic.undo(by=account_name())
        if undone is None:
            raise CommandError("the emergency stop is not on: there is nothing to undo")
        self._say(f"runs may start again; {counted(len(undone.paused_tasks), 'schedule')} resumed")

    def _say(self, line: str) -> None:
        self.stdout.write(visible(line))
