"""The admin's pages, by table."""

from accounts.admin.people import GroupRuleInline, PeopleActions, SsoIdentityInline
from accounts.admin.tokens import ApiTokenAdmin

__all__ = ["ApiTokenAdmin", "GroupRuleInline", "PeopleActions", "SsoIdentityInline"]
