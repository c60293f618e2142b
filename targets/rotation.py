"""Re-encrypts stored secrets with the first key of the keyring, row by row, during normal operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.db.models import Model

from sealing.secrets import SecretsError, reseal, row_label

ROUNDS: Final = 5
"""Maximum number of attempts for a row that is edited while it is re-encrypted."""


@dataclass
class Rotation:
    """Result for the rows with secrets of one table."""

    current: int = 0
    resealed: int = 0
    unreadable: list[str] = field(default_factory=list)
    """Rows that could not be decrypted, and why."""
    busy: list[str] = field(default_factory=list)
    """Rows that were changed by somebody else at each attempt."""


def rotate(model: type[Model], column: str) -> Rotation:
    """Re-encrypt each row of `model` that does not use the first key; `column` is that of its row label.

    Safe to repeat, and beside others who edit: a row is only written as it was read.
    """
    done = Rotation()
    rows = model._default_manager.exclude(sealed_secrets="").order_by("pk")
    for pk in list(rows.values_list("pk", flat=True)):  # read before the first is written: they are small
        _rotate_row(model, column, pk, done)
    return done


def behind(model: type[Model]) -> int:
    """Number of rows that still use another key."""
    first = settings.SECRET_KEYRING[0][0]
    rows = model._default_manager.exclude(sealed_secrets="").exclude(sealed_secrets__startswith=f"{first}:")
    return rows.count()


def _rotate_row(model: type[Model], column: str, pk: int, done: Rotation) -> None:
    rows = model._default_manager.filter(pk=pk)
    for _ in range(ROUNDS):
        row = rows.values_list("uid", "sealed_secrets").first()
        if row is None or not row[1]:
            return  # deleted or cleared meanwhile
        uid, sealed = row
        try:
            fresh = reseal(sealed, row_label(column, uid))
        except SecretsError as exc:
            done.unreadable.append(f"{model._meta.verbose_name} {pk}: {exc}")
            return
        if fresh == sealed:
            done.current += 1
            return
        if rows.filter(sealed_secrets=sealed).update(sealed_secrets=fresh):
            done.resealed += 1
            return
    done.busy.append(f"{model._meta.verbose_name} {pk}")
