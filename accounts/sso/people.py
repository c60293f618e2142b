"""Which user somebody is whom the provider has let in, and what the provider's groups give."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import SsoIdentity
from accounts.sso.errors import SsoRefused
from plain_text.visible import visible

USERNAME_CHARS: Final = 150
NO_GROUP: Final = "None of your groups may use this site: ask an administrator."


def user_for(claims: dict[str, Any]) -> User:
    """The user, with the rights that the claims give. Raises SsoRefused; even then, a known user loses what the claims
    no longer give."""
    try:
        return _user_for(claims)
    except (IntegrityError, SsoRefused):
        if _known(claims) is None:
            raise
        return _user_for(claims)  # of two first log-ins at once, the other one may have made the user a moment ago


def _user_for(claims: dict[str, Any]) -> User:
    groups = _groups(claims)
    with transaction.atomic():
        identity = _known(claims) or _expected(claims) or _new(claims, groups)
        user: Any = identity.user
        if user.is_active:
            _give(user, groups)
            SsoIdentity.objects.filter(pk=identity.pk).update(last_log_in=timezone.now())
    if not user.is_active:
        raise SsoRefused(f"The user {visible(user.username)} is deactivated: ask an administrator.")
    if not user.is_staff:
        raise SsoRefused(NO_GROUP)
    found: User = user
    return found


def _known(claims: dict[str, Any]) -> SsoIdentity | None:
    rows = SsoIdentity.objects.select_related("user")
    return rows.filter(issuer=settings.OIDC.issuer, subject=claims["sub"]).first()


def _expected(claims: dict[str, Any]) -> SsoIdentity | None:
    """Of a user whom an administrator has made for this name, and who comes for the first time."""
    rows = SsoIdentity.objects.select_related("user").filter(subject="", name=_name(claims))
    if not rows.update(issuer=settings.OIDC.issuer, subject=claims["sub"]):
        return None
    return _known(claims)


def _new(claims: dict[str, Any], groups: set[str] | None) -> SsoIdentity:
    """Never an existing user: whoever has that name or e-mail address at the provider may be somebody else."""
    name = _name(claims)
    if not settings.OIDC.create_users:
        raise SsoRefused(f"{visible(name)} is not known here: ask an administrator to add you.")
    if User.objects.filter(username__iexact=name).exists():
        raise SsoRefused(
            f"There is already a user {visible(name)} who does not use single sign-on: "
            "ask an administrator to enter your name at the provider on that user's page."
        )
    if not _is_staff(groups):
        raise SsoRefused(NO_GROUP)
    user = User(username=name, email=str(claims.get("email") or "")[:254])
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as exc:
        why = " ".join(exc.messages)
        raise SsoRefused(f"Your name or e-mail address at the provider cannot be used here: {why}") from exc
    user.save()
    return SsoIdentity.objects.create(user=user, name=name, issuer=settings.OIDC.issuer, subject=claims["sub"])


def _name(claims: dict[str, Any]) -> str:
    claim = settings.OIDC.name_claim
    name = claims.get(claim)
    if not isinstance(name, str) or not name.strip() or len(name) > USERNAME_CHARS:
        raise SsoRefused(f"The provider does not tell your name (claim {claim!r}): ask an administrator.")
    return name.strip()


def _groups(claims: dict[str, Any]) -> set[str] | None:
    """None: the site does not ask. A claim that is missing is not the same as an empty one: the provider may have left
    it out by mistake, and nobody gains or loses rights by that."""
    oidc = settings.OIDC
    if not (oidc.groups or oidc.staff):
        return None
    found = claims.get(oidc.groups_claim)
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        raise SsoRefused(f"The provider does not tell your groups (claim {oidc.groups_claim!r}): ask an administrator.")
    return {item for item in found if isinstance(item, str)}


def _is_staff(claimed: set[str] | None) -> bool:
    wanted = set(settings.OIDC.staff)
    return not wanted or bool(wanted & (claimed or set()))


def _give(user: User, claimed: set[str] | None) -> None:
    """Groups of the mapping come and go with the claim; others, which an administrator gave here, stay. Nobody becomes
    a superuser by a claim."""
    oidc = settings.OIDC
    staff = user.is_superuser or _is_staff(claimed)
    if user.is_staff != staff:
        user.is_staff = staff
        user.save(update_fields=["is_staff"])
    if not oidc.groups:
        return
    mapped = {name: Group.objects.get_or_create(name=name)[0] for name in set(oidc.groups.values())}
    due = {oidc.groups[name] for name in claimed or set() if name in oidc.groups}
    has = set(user.groups.filter(name__in=mapped).values_list("name", flat=True))
    user.groups.add(*(mapped[name] for name in due - has))
    user.groups.remove(*(mapped[name] for name in has - due))
