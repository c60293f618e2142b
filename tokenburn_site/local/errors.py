"""Errors of local services, in one line with a remedy."""

from __future__ import annotations


class LocalServiceError(Exception):
    """A service cannot start or answer. `code` is stable; the text is one line with its remedy."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
