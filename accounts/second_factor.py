"""The second factor: codes of an authenticator app, and recovery codes."""

from __future__ import annotations

import base64
import logging
import secrets
import string
import time
from datetime import timedelta
from typing import Any, Final

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import GroupRule, RecoveryCode, SecondFactor
from sealing.secrets import SecretsError, row_label, seal, unseal

COLUMN: Final = "accounts.second_factor"
KEY_BYTES: Final = 20
DIGITS: Final = 6
STEP_S: Final = 30
DRIFT: Final = (0, -1, 1)
"""Steps by which the clock of a phone may be off."""
RECOVERY_CODES: Final = 10
RECOVERY_LETTERS: Final = string.ascii_lowercase + "234567"
RECOVERY_CHARS: Final = 16
MOST_FAILURES: Final = 10
FAILURES_PAUSE: Final = timedelta(minutes=15)
"""Of one user, from whatever addresses: whoever has the password must not guess the code."""
TOO_MANY: Final = f"Too many wrong codes: try again in {FAILURES_PAUSE // timedelta(minutes=1)} minutes."
UNREADABLE: Final = "The site cannot read the key of your app: use a recovery code, or ask an administrator."
logger = logging.getLogger(__name__)


class CodeRefused(Exception):
    """No code is accepted, whatever it is; the message says why."""


def of(user: Any) -> SecondFactor | None:
    """What is asked of the user at a log-in."""
    return SecondFactor.objects.filter(user_id=user.pk).exclude(confirmed_at=None).first()


def required(user: Any) -> bool:
    """Whether the user must have one, by the setting or by the rule of a group."""
    rules = GroupRule.objects.filter(second_factor_required=True, group__user=user.pk)
    return required_by_setting(user) or rules.exists()


def required_by_setting(user: Any) -> bool:
    return settings.REQUIRE_MFA == "all" or (settings.REQUIRE_MFA == "staff" and bool(user.is_staff))


def missing(user: Any) -> bool:
    """Whether the user must set one up before anything else."""
    return required(user) and of(user) is None


def begin(user: Any) -> SecondFactor:
    """A key that still has to be confirmed; the present one if there is one. Not for a user whose factor is confirmed:
    that one is returned."""
    with transaction.atomic():
        found, is_new = SecondFactor.objects.select_for_update().get_or_create(user=user)
        if is_new:
            key = base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode()
            found.sealed_secrets = seal({"key": key}, row_label(COLUMN, found.uid))
            found.save(update_fields=["sealed_secrets"])
    return found


def key_of(factor: SecondFactor) -> str:
    """In base 32, as people type it. Raises SecretsError."""
    return unseal(factor.sealed_secrets, row_label(COLUMN, factor.uid))["key"]


def address_of(factor: SecondFactor) -> str:
    """What the QR code says."""
    return _totp(factor).get_provisioning_uri(str(factor.user), "Token-Burn")


def picture(factor: SecondFactor) -> str:
    """The QR code as an element of the page: nothing is loaded from anywhere."""
    code = segno.make(address_of(factor), error="m", micro=False)
    drawn: str = code.svg_inline(scale=5, border=4, light="#fff", dark="#000", title="QR code of the key")
    return drawn


def confirm(factor: SecondFactor, code: str) -> list[str] | None:
    """The recovery codes, if the app shows the right code. Raises CodeRefused."""
    with transaction.atomic():
        if not check(factor, code):
            return None
        if not SecondFactor.objects.filter(pk=factor.pk, confirmed_at=None).update(confirmed_at=timezone.now()):
            return None
        return new_recovery_codes(factor)


def check(factor: SecondFactor, code: str) -> bool:
    """Whether the code is the app's. It is used up. Raises CodeRefused."""
    try:
        codes = _codes(factor)
    except SecretsError as exc:
        logger.warning("second_factor_unreadable: %s: %s", factor, exc)
        raise CodeRefused(UNREADABLE) from exc
    _take_a_try(factor)
    given = "".join(code.split())
    step = next((step for step, shown in codes if constant_time_compare(shown, given)), None)
    rows = SecondFactor.objects.filter(pk=factor.pk)
    return step is not None and bool(rows.filter(last_step__lt=step).update(last_step=step, failures=0))


def check_recovery(factor: SecondFactor, code: str) -> bool:
    """Whether the code is one of the recovery codes that were not used. It is used up. Raises CodeRefused."""
    _take_a_try(factor)
    if not factor.recovery_codes.filter(digest=_digest(code), used_at=None).update(used_at=timezone.now()):
        return False
    SecondFactor.objects.filter(pk=factor.pk).update(failures=0)
    return True


def check_either(factor: SecondFactor, code: str) -> bool:
    """Whether the code is the app's or a recovery code. It is used up. Raises CodeRefused."""
    return check(factor, code) if "".join(code.split()).isdecimal() else check_recovery(factor, code)


def new_recovery_codes(factor: SecondFactor) -> list[str]:
    """In place of all earlier ones; only their digests are stored."""
    plain = ["".join(secrets.choice(RECOVERY_LETTERS) for _ in range(RECOVERY_CHARS)) for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        factor.recovery_codes.all().delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, digest=_digest(code)) for code in plain)
    return ["-".join(code[at : at + 4] for at in range(0, RECOVERY_CHARS, 4)) for code in plain]


def remove(user: Any) -> bool:
    """Whether there was one."""
    return bool(SecondFactor.objects.filter(user_id=user.pk).delete()[0])


def _take_a_try(factor: SecondFactor) -> None:
    """Counted as a failure before the code is looked at: however many guess at once, they get no more tries together.
    A right code forgets the failures."""
    rows, now = SecondFactor.objects.filter(pk=factor.pk), timezone.now()
    rows.filter(failures__gte=MOST_FAILURES, failed_at__lte=now - FAILURES_PAUSE).update(failures=0)
    taken = rows.filter(failures__lt=MOST_FAILURES).update(failures=F("failures") + 1, failed_at=now)
    if not taken and rows.exists():  # else it was removed a moment ago
        raise CodeRefused(TOO_MANY)


def _codes(factor: SecondFactor) -> list[tuple[int, str]]:
    """The steps of now with their codes. Raises SecretsError."""
    totp, now = _totp(factor), int(time.time() // STEP_S)
    return [(now + drift, totp.generate((now + drift) * STEP_S).decode()) for drift in DRIFT]


def _totp(factor: SecondFactor) -> TOTP:
    sha1 = SHA1()  # noqa: S303  what all apps know; an HMAC needs no hash without collisions
    return TOTP(base64.b32decode(key_of(factor)), DIGITS, sha1, STEP_S)


def _digest(code: str) -> str:
    """80 random bits and the site's key: guessing from a stolen database leads nowhere."""
    plain = "".join(char for char in code.lower() if char in RECOVERY_LETTERS)
    return salted_hmac("accounts.recovery", plain, algorithm="sha256").hexdigest()
