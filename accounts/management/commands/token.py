"""`manage.py token`: create, list and revoke API tokens."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.management.users import named
from accounts.models import ApiToken
from accounts.scopes import SCOPES
from accounts.tokens import TokenError, make, revoke
from plain_text.visible import visible


class Command(BaseCommand):
    help = "Create, list and revoke API tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", required=True, metavar="create|list|revoke")
        create = what.add_parser("create", help="make a token and print its key, once")
        create.add_argument("user", help="name of the user whose rights it has")
        create.add_argument("--name", default="command line", help="what uses it (default: %(default)s)")
        create.add_argument("--scope", action="append", choices=list(SCOPES), default=[], help="repeat it for several")
        create.add_argument("--days", type=int, help="how long it is valid (default: TOKENBURN_TOKEN_DAYS)")
        listing = what.add_parser("list", help="show tokens, without keys")
        listing.add_argument("user", nargs="?", help="only of this user")
        what.add_parser("revoke", help="end tokens at once").add_argument("id", nargs="+", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['what']}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        user = named(options["user"])
        if not (user.is_active and user.is_staff):
            raise CommandError(f"{visible(str(user))} is not active staff, so that a token would be refused")
        try:
            token = make(user, options["name"], options["scope"], options["days"])
        except TokenError as exc:
            raise CommandError(visible(str(exc))) from exc
        self.stderr.write(f"token {token.pk}: {', '.join(token.scopes)}; expires {token.expires_at:%Y-%m-%d}")
        self.stdout.write(token.key)  # alone, so that it can be redirected without being shown

    def _list(self, options: dict[str, Any]) -> None:
        found = ApiToken.objects.select_related("user").order_by("pk")
        if options["user"]:
            found = found.filter(user=named(options["user"]))
        for token in found:
            used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
            parts = [str(token.pk), str(token.user), str(token), ",".join(token.scopes), token.state]
            parts += [f"expires {token.expires_at:%Y-%m-%d}", f"used {used} {token.last_used_from or ''}".rstrip()]
            self.stdout.write(visible("  ".join(parts)))

    def _revoke(self, options: dict[str, Any]) -> None:
        known = ApiToken.objects.in_bulk(options["id"])
        if missing := [str(pk) for pk in options["id"] if pk not in known]:
            raise CommandError(f"no token {', '.join(missing)}: `manage.py token list` shows them; none was revoked")
        for token in known.values():
            done = revoke(token)
            self.stdout.write(visible(f"{token.pk}: {'revoked' if done else 'was revoked before'}"))
