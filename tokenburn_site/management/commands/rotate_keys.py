"""`manage.py rotate_keys`: seal all stored secrets under the first key of the keyring. See docs/secrets.md."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from runs.models import Run
from runs.schedule_models import Webhook
from targets.models import Target
from targets.rotation import Rotation, behind, rotate
from tokenburn_site.keys import BadEnvironment, add_development_key, encoded, key_id, new_key

TABLES: Final = ((Target, "targets.secrets"), (Run, "runs.secrets"), (Webhook, "runs.webhook"))
NOT_ALL: Final = 1
BAD_START: Final = 2


class Command(BaseCommand):
    help = "Seal all stored secrets anew under the first key of TOKENBURN_KEYS. Safe to repeat, also while runs go on."
    requires_system_checks: list[str] = []  # they warn of development keys, which whoever rotates them knows

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--new",
            action="store_true",
            help="make a key: print it for TOKENBURN_KEYS or, where that is not set, use it at once",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"] and settings.KEYRING_GIVEN:
            key = new_key()
            # The line alone on stdout, so that it can go where no terminal shows it.
            self.stdout.write(f"{key_id(key, 'key')}:{encoded(key)}")
            self.stderr.write("put it first into TOKENBURN_KEYS on every host, then run rotate_keys (docs/secrets.md)")
            return
        if options["new"]:
            self._add_development_key()
        if not self._rotate():
            sys.exit(NOT_ALL)

    def _add_development_key(self) -> None:
        try:
            made = add_development_key(settings.KEYRING_FILE)
            settings.SECRET_KEYRING[:] = settings.REREAD_KEYRING()
        except BadEnvironment as exc:
            self.stderr.write(f"rotate_keys: {exc}")
            sys.exit(BAD_START)
        self.stdout.write(f"made key {made}, now the first one in {settings.KEYRING_FILE}")

    def _rotate(self) -> bool:
        """Whether all rows are under the first key afterwards."""
        all_done = True
        for model, column in TABLES:
            done = rotate(model, column)
            all_done &= not (done.unreadable or done.busy or behind(model))
            self._tell(str(model._meta.verbose_name_plural), done)
        first, *old = [name for name, _ in settings.SECRET_KEYRING]
        if not all_done:
            self.stderr.write(
                f"not all is under key {first}: mend the above and repeat; keep the other keys until then"
            )
        elif old:
            self.stdout.write(f"all is under key {first}; no longer needed: {', '.join(old)}")
        return all_done

    def _tell(self, what: str, done: Rotation) -> None:
        self.stdout.write(f"{what}: {done.resealed} sealed anew, {done.current} under the first key before")
        for line in done.unreadable:
            self.stderr.write(f"cannot be opened: {line}")
        for line in done.busy:
            self.stderr.write(f"changed by somebody else again and again: {line}")
