"""The admin's pages, by table."""

from accounts.admin.tokens import ApiTokenAdmin

__all__ = ["ApiTokenAdmin"]
