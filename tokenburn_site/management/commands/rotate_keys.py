"""`manage.py rotate_keys`: re-encrypt all stored secrets with the first key of the keyring. See docs/secrets.md."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.models import SecondFactor
from accounts.second_factor import COLUMN
from audit.services import record
from runs.models import Run, Webhook
from targets.credentials.models import SECRETS_COLUMN, Credential
from targets.rotation import Rotation, behind, rotate
from tokenburn_site.config.keys import BadEnvironment, add_development_key, encoded, key_id, new_key

TABLES: Final = (
    (Credential, SECRETS_COLUMN),
    (Run, "runs.secrets"),
    (Webhook, "runs.webhook"),
    (SecondFactor, COLUMN),
)
NOT_ALL: Final = 1
BAD_START: Final = 2


class Command(BaseCommand):
    help = "Re-encrypt all stored secrets with the first key of TOKENBURN_KEYS. Can be repeated, also during runs."
    requires_system_checks: list[str] = []  # they warn of development keys, which does not help here

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--new",
            action="store_true",
            help="create a key: print it for TOKENBURN_KEYS or, if that is not set, use it at once",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"] and settings.KEYRING_GIVEN:
            key = new_key()
            # Only the key goes to stdout, so that it can be redirected without being shown.
            self.stdout.write(f"{key_id(key, 'key')}:{encoded(key)}")
            self.stderr.write(
                "add this key to TOKENBURN_KEYS on every host, then run rotate_keys (see docs/secrets.md)"
            )
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
        self.stdout.write(f"created key {made}, now the first one in {settings.KEYRING_FILE}")

    def _rotate(self) -> bool:
        """Whether all rows use the first key afterwards."""
        all_done = True
        for model, column in TABLES:
            done = rotate(model, column)
            all_done &= not (done.unreadable or done.busy or behind(model))
            self._tell(str(model._meta.verbose_name_plural), done)
        record("keys.rotate", outcome="done" if all_done else "failed")
        first, *old = [name for name, _ in settings.SECRET_KEYRING]
        if not all_done:
            self.stderr.write(f"not all is under key {first}: fix the above and repeat; keep the other keys until then")
        elif old:
            self.stdout.write(f"all is under key {first}; no longer needed: {', '.join(old)}")
        return all_done

    def _tell(self, what: str, done: Rotation) -> None:
        self.stdout.write(f"{what}: {done.resealed} re-encrypted, {done.current} already under the first key")
        for line in done.unreadable:
            self.stderr.write(f"cannot be decrypted: {line}")
        for line in done.busy:
            self.stderr.write(f"changed repeatedly by others: {line}")
