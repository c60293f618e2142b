"""Names whose values are secrets, whoever gave them."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(
    r"(?:^|_|-)(?:pass(?:word|wd|phrase)|secret|api_?key|(?:access|auth|refresh|id|bearer|api|session|csrf)_?token|token|"
    r"credentials?|authorization|jwt)$"
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(name: str) -> str:
    return _CAMEL.sub("_", name).lower()


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name in JSON, a form or a query is a secret."""
    return _NAME.search(snake_case(name)) is not None
