"""`manage.py audit`: read, check, export and shorten the audit log. See docs/audit.md."""

from __future__ import annotations

import re
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from audit import chain, syslog
from audit.export import batches, line
from audit.models import AuditChain, AuditEvent, AuditOutlet
from audit.retention import prune

POLL_S = 1.0
NUMBER = re.compile(r"\d{1,18}", re.ASCII)
"""A sequence number; the database holds no larger ones."""
MOST_DAYS = 36_500


class Command(BaseCommand):
    help = "Read, check, export or shorten the audit log."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--jsonl", action="store_true", help="print the events, one JSON object per line")
        what.add_argument("--verify", action="store_true", help="check the chain; exit code 1 if it is broken")
        what.add_argument("--send", action="store_true", help="send what TOKENBURN_AUDIT_SYSLOG does not have yet")
        what.add_argument("--status", action="store_true", help="show the end of the chain and what was sent")
        what.add_argument("--prune", type=int, metavar="DAYS", help="delete events that are older")
        parser.add_argument("--since", metavar="TIME|NUMBER", help="with --jsonl: begin there")
        parser.add_argument("--follow", action="store_true", help="with --jsonl: wait for more until Ctrl-C")
        parser.add_argument("--expect", metavar="NUMBER:DIGEST", help="with --verify: an end that was noted earlier")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["jsonl"]:
            self._print(options["since"], options["follow"])
        elif options["verify"]:
            self._verify(options["expect"])
        elif options["send"]:
            self._send()
        elif options["status"]:
            self.stdout.write(f"end of the chain: {AuditChain.objects.first() or 'no events'}")
            for outlet in AuditOutlet.objects.all():
                self.stdout.write(f"{outlet.name}: sent up to {outlet.position}. {outlet.problem}".rstrip())
        else:
            self._prune(options["prune"])

    def _print(self, since: str | None, follow: bool) -> None:
        chain.seal()
        position = _before(since)
        try:
            while True:
                for events in batches(position):
                    self.stdout.write("\n".join(map(line, events)))
                    position = events[-1].sequence or position
                if not follow:
                    return
                self.stdout.flush()
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            return

    def _verify(self, expect: str | None) -> None:
        chain.seal()
        found = [*chain.problems(), *([] if expect is None else _unlike(expect))]
        for problem in found:
            self.stderr.write(problem)
        if found:
            raise CommandError("the audit log was changed", returncode=1)
        self.stdout.write(f"{AuditEvent.objects.count()} events, whole. End: {AuditChain.objects.get()}")

    def _send(self) -> None:
        if not settings.AUDIT_SYSLOG:
            raise CommandError("TOKENBURN_AUDIT_SYSLOG is not set: there is nowhere to send to")
        try:
            self.stdout.write(f"{syslog.send_new(settings.AUDIT_SYSLOG)} events sent")
        except OSError as exc:
            raise CommandError(f"{settings.AUDIT_SYSLOG}: {exc}: the events stay and are sent later") from exc

    def _prune(self, days: int) -> None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--prune {days}: give 1 to {MOST_DAYS:,} days")
        self.stdout.write(f"{prune(days)} events deleted")


def _before(since: str | None) -> int:
    """The sequence number after which to begin."""
    if since is None:
        return 0
    if NUMBER.fullmatch(since):
        return int(since)
    found = AuditEvent.objects.filter(at__gte=_moment(since), sequence__isnull=False).order_by("sequence").first()
    return AuditChain.objects.get().sequence if found is None else (found.sequence or 1) - 1


def _moment(since: str) -> datetime:
    try:
        day = parse_date(since)
        moment = datetime(day.year, day.month, day.day) if day else parse_datetime(since)
        if moment is not None:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    except OverflowError as exc:
        raise CommandError(f"--since {since}: in UTC, this time is not in the years 1 to 9999") from exc
    raise CommandError(f"--since {since}: give a time such as 2026-11-01T12:00Z, or a sequence number")


def _unlike(expect: str) -> list[str]:
    number, _, digest = expect.partition(":")
    if not NUMBER.fullmatch(number) or not digest:
        raise CommandError(f"--expect {expect}: give NUMBER:DIGEST as --verify printed it")
    found = AuditEvent.objects.filter(sequence=int(number)).first()
    if found is None:
        head = AuditChain.objects.get()
        same = (head.first_sequence, head.first_digest) == (int(number), digest)
        return [] if same else [f"event {number} is not there any more"]
    return [] if found.digest == digest else [f"event {number} is not the one that was noted: the log was rewritten"]
