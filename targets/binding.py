"""What binds a target to its credential: who may choose one, where the target may lead, who may send its values.

A target leads to the origins of its address, of handshake steps elsewhere, of Host headers, and of its proxy
(`TargetSpec.own_origins`). All of them must be among the credential's. What only a template or an answer names is
checked when a connection is made, in `connectors`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from audit.services import record
from connectors.opaque.uses import expressions
from connectors.origins import origin_of
from connectors.spec import SpecError
from policy.limits import User
from targets.credentials.models import Credential
from targets.credentials.rights import may_use
from targets.credentials.services import whom_to_ask
from targets.models import Target
from targets.services import target_spec

SHOWN = 3


class CredentialRefused(Exception):
    """A credential may not be used in this way. `field` names the part of the target; the message says what to do."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check_change(target: Target, user: User) -> None:
    """Whether `user` may save `target` as it is now. Choosing a credential needs the right to use it; a credential that
    was chosen before may stay, but the target must not lead to an origin which is neither among the credential's nor
    one to which it led before, and whoever may not use it does not move its secrets. Raises CredentialRefused."""
    credential = target.credential
    if credential is None:
        return
    if refused := _change_refused(target, credential, user):
        _tell(credential, target, user)
        raise refused


def _change_refused(target: Target, credential: Credential, user: User) -> CredentialRefused | None:
    before = None if target.pk is None else Target.objects.filter(pk=target.pk).first()
    is_kept = before is not None and before.credential_id == credential.pk
    if not is_kept and not may_use(user, credential):
        return CredentialRefused("credential", may_not_use(credential))
    known = led_to(before) if is_kept and before is not None else ()
    if outside := outside_of(credential, (origin for origin in led_to(target) if origin not in known)):
        field = "url" if origin_of(target.url) in outside else "overrides"
        return CredentialRefused(field, leads_out(credential, outside))
    if moved := _moved(before, target, credential, user):
        return CredentialRefused("overrides", moved)
    return None


def _moved(before: Target | None, target: Target, credential: Credential, user: User) -> str:
    """Why the user may not move the secrets to where they stand now; empty: they stand where they did, or the
    user may use them. A secret in a message would be told by a chatbot that does as it is asked, backwards for example,
    as soon as somebody else runs it."""
    if before is None or may_use(user, credential):
        return ""
    known = _secrets_in(before)
    new = [place for place, text in _secrets_in(target).items() if known.get(place) != text]
    return f"{', '.join(new[:SHOWN])}: a secret would stand there; {may_not_use(credential)}" if new else ""


def _secrets_in(target: Target) -> dict[str, str]:
    """The texts of its spec that name secrets, by their places."""
    try:
        stack: list[tuple[str, Any]] = list(target_spec(target).frozen_dict().items())
    except SpecError:
        return {}
    found = {}
    while stack:
        place, item = stack.pop()
        if isinstance(item, str) and any(expressions(item)):
            found[place] = item
        elif isinstance(item, dict):
            stack += [(f"{place}.{key}", inner) for key, inner in item.items()]
        elif isinstance(item, list):
            stack += [(f"{place}[{number}]", inner) for number, inner in enumerate(item)]
    return found


def use_refused(target: Target, user: User) -> CredentialRefused | None:
    """Why `user` may not send the values of the target's credential to where the target leads; None: they may."""
    credential = target.credential
    if credential is None:
        return None
    if not may_use(user, credential):
        return CredentialRefused("credential", may_not_use(credential))
    if outside := outside_of(credential, led_to(target)):
        return CredentialRefused("credential", leads_out(credential, outside))
    return None


def check_use(target: Target, user: User) -> None:
    """Raises CredentialRefused, and records it, if `user` may not send the values of the target's credential."""
    if refused := use_refused(target, user):
        _tell(target.credential, target, user)
        raise refused


def _tell(credential: Credential | None, target: Target, user: User) -> None:
    record("credential.use", user=user, on=credential, outcome="refused", details={"target": target.name})


def note_use(credential: Credential | None) -> None:
    if credential is not None:
        Credential.objects.filter(pk=credential.pk).update(last_used_at=timezone.now())


def led_to(target: Target) -> tuple[str, ...]:
    """Empty for a target that is no valid one: it connects to nothing."""
    try:
        return target_spec(target).own_origins()
    except SpecError:
        return ()


def outside_of(credential: Credential, origins: Iterable[str]) -> list[str]:
    return [origin for origin in origins if origin not in credential.origins]


def may_not_use(credential: Credential) -> str:
    owner = whom_to_ask(credential)
    return f"you may not use the credential {credential.name!r}: ask {owner} for it, or choose another one"


def leads_out(credential: Credential, outside: list[str]) -> str:
    more = f" and {len(outside) - SHOWN} more" if len(outside) > SHOWN else ""
    return (
        f"{', '.join(outside[:SHOWN])}{more}: not among the origins of the credential {credential.name!r}; "
        "add it there (whoever may edit the credential can), or choose another credential that you may use"
    )
