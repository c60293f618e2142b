"""Checks and makes credentials, for API and admin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from audit.services import record
from connectors.origins import check_origin
from policy.limits import User
from targets.credentials.models import Credential
from targets.credentials.rights import may_create, may_edit
from targets.credentials.values import change_values

MOST_ORIGINS: Final = 50
NAME_CHARS: Final = 120
EXAMPLE: Final = "https://api.example.org:443"


class NotAllowed(Exception):
    """Somebody lacks the right to a credential; the message says which and whom to ask."""


def checked_origins(given: Any) -> list[str]:
    """Each once, in their one spelling. Raises ValueError."""
    if not isinstance(given, list | tuple) or not all(isinstance(text, str) for text in given):
        raise ValueError(f'give a list of texts, such as ["{EXAMPLE}"]')
    if len(given) > MOST_ORIGINS:
        raise ValueError(f"{len(given)} origins: give at most {MOST_ORIGINS}")
    for text in given:
        if "://" not in text:
            raise ValueError(f"{text[:200]!r} has no scheme: give scheme://host:port, such as {EXAMPLE}")
    found = list(dict.fromkeys(check_origin(text.strip()) for text in given))
    if not found:
        raise ValueError(f"name at least one origin that the secrets may go to, such as {EXAMPLE}")
    return found


def entered(
    credential: Credential | None,
    *,
    user: User,
    name: str,
    leads_to: Iterable[str],
    given: Mapping[str, str],
    cleared: Collection[str] = (),
) -> Credential | None:
    """What becomes of a target's credential when `user` enters secrets at the target `name`: it is changed, and may go
    to wherever the target leads. A target without one gets a new one, of which the user is the owner. Not saved yet;
    None if there is nothing to store. Raises NotAllowed, and ValueError naming what is wrong."""
    if credential is None and not given:
        return None
    if credential is None:
        if not may_create(user):
            raise NotAllowed("to store secrets you need the right to add credentials: ask an administrator for it")
        credential = Credential(name=_free_name(name), owner_id=getattr(user, "pk", None), origins=[])
    elif not may_edit(user, credential):
        record("credential.edit", user=user, on=credential, outcome="refused", details={"target": name})
        raise NotAllowed(may_not_edit(credential))
    origins = list(dict.fromkeys([*credential.origins, *leads_to]))
    if len(origins) > MOST_ORIGINS:
        raise ValueError(
            f"the credential {credential.name!r} would have {len(origins)} origins: remove some from it, or choose "
            f"another one; at most {MOST_ORIGINS} are possible"
        )
    change_values(credential, given=given, cleared=cleared)
    credential.origins = origins
    return credential


def may_not_edit(credential: Credential) -> str:
    owner = whom_to_ask(credential)
    return (
        f"you may not edit the credential {credential.name!r}: ask {owner}, or choose or add a credential of your own"
    )


def whom_to_ask(credential: Credential) -> str:
    """For a right to it."""
    return f"its owner ({credential.owner})" if credential.owner is not None else "an administrator"


def _free_name(name: str) -> str:
    """`name`, or the first of its numbered forms that no credential has: one of the same name may be somebody
    else's."""
    known = set(Credential.objects.filter(name__startswith=name[: NAME_CHARS - 8]).values_list("name", flat=True))
    free, number = name, 1
    while free in known:
        number += 1
        free = f"{name[: NAME_CHARS - 8]} ({number})"
    return free
