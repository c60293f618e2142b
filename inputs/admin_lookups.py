"""What no list of the admin filters by."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.http import HttpRequest

SEALED: Final = frozenset({"sealed_secrets", "digest", "session_hash", "password"})
"""Columns that nobody is shown. A filter such as `?digest__startswith=a` would tell them letter by letter."""
READ_TEXTS: Final = "runs.view_texts"
"""The right to read messages, answers and what quotes them."""


class SealedColumns:
    """Of an admin whose table has columns that not everybody may read: nobody searches what they may not read."""

    texts: ClassVar[frozenset[str]] = frozenset()
    """Columns of texts, which need READ_TEXTS."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        of_admin: Any = super()
        hidden = SEALED if request.user.has_perm(READ_TEXTS) else SEALED | self.texts
        return not hidden & set(lookup.split("__")) and bool(of_admin.lookup_allowed(lookup, value, request))
