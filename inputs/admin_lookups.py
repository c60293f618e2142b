"""What no list of the admin filters by."""

from __future__ import annotations

from typing import Any, Final

SEALED: Final = frozenset({"sealed_secrets", "digest", "session_hash", "password"})
"""Columns that nobody is shown. A filter such as `?digest__startswith=a` would tell them letter by letter."""


class SealedColumns:
    """Of an admin whose table has one."""

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        of_admin: Any = super()
        return not SEALED & set(lookup.split("__")) and bool(of_admin.lookup_allowed(lookup, value, request))
