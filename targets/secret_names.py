"""Names whose values are secrets, whoever gave them."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(
    r"(?:^|[^a-z0-9])(?:"
    r"(?:user)?pass(?:_?word|_?wd|_?phrase|_?code|_?key)?|p?pwd|pin(?:_?code)?|[ht]?otp|one_?time_?code|"
    r"(?:mfa|2fa|tan|sms|verification|security|auth)_?code|cv[vc]2?|(?:credit_?|debit_?)?card(?:_?(?:number|num|no))?|"
    r"iban|ssn|(?:client_?|app_?|shared_?)?secret|credentials?|authorization|jwt|hash|hmac|signature|"
    r"(?:api|secret|private|access|auth|licen[cs]e|signing|encryption|subscription|master|account)[_-]?key|"
    r"(?:(?:access|auth|refresh|id|bearer|api|session|csrf|xsrf)_?)?token"
    r")[^a-z0-9]*$"
)
"""The last word decides: a pinned message, a passenger and a hashtag are none."""
COUNTS: Final = ("progress_token",)
"""Of MCP: it numbers the notifications of a call."""
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name in JSON, a form or a query is a secret."""
    name = snake_case(name)
    return _NAME.search(name) is not None and not name.endswith(COUNTS)
