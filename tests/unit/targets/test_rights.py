"""Who may do what with a credential."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from policy.limits import User as Somebody
from targets.credentials import rights
from targets.models import Credential
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db
ALL = ("use", "edit", "share", "delete", "see")
WHO: dict[str, tuple[str, ...]] = {
    "owner": ALL,
    "listed": ("use", "see"),
    "in a listed group": ("use", "see"),
    "superuser": ALL,
    "targets.use_credential": ("use", "see"),
    "targets.change_credential": ("edit", "see"),
    "targets.delete_credential": ("delete", "see"),
    "targets.view_credential": ("see",),
    "targets.change_target": (),
    "nobody special": (),
}


@pytest.fixture
def credential() -> Credential:
    return Credential.objects.create(name="bank", owner=made_up.user(), origins=["https://bank.example:443"])


def somebody(who: str, credential: Credential) -> User:
    if who == "owner":
        assert credential.owner is not None
        return credential.owner
    user = made_up.user(*([who] if "." in who else []), superuser=who == "superuser")
    if who == "listed":
        credential.users.add(user)
    if who == "in a listed group":
        group = Group.objects.create(name="testers")
        user.groups.add(group)
        credential.groups.add(group)
    return user


def can(user: Somebody, credential: Credential) -> tuple[str, ...]:
    asked: dict[str, Callable[[Somebody, Credential], bool]] = {
        "use": rights.may_use,
        "edit": rights.may_edit,
        "share": rights.may_share,
        "delete": rights.may_delete,
        "see": lambda user, credential: rights.visible(user).filter(pk=credential.pk).exists(),
    }
    assert rights.may_use(user, credential) is rights.usable(user).filter(pk=credential.pk).exists()
    return tuple(word for word, may in asked.items() if may(user, credential))


@pytest.mark.parametrize("who", WHO)
def test_each_right_is_one_of_its_own_and_ends_with_the_person(who: str, credential: Credential) -> None:
    user = somebody(who, credential)
    assert can(user, credential) == WHO[who]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert can(User.objects.get(pk=user.pk), Credential.objects.get(pk=credential.pk)) == ()


@pytest.mark.parametrize("nobody", [None, AnonymousUser()])
def test_strangers_have_no_right_not_even_to_what_nobody_owns(
    nobody: AnonymousUser | None, credential: Credential
) -> None:
    Credential.objects.update(owner=None)
    credential.refresh_from_db()
    assert can(nobody, credential) == ()


def test_who_may_write_targets_may_have_secrets_of_their_own() -> None:
    for right in ("targets.add_credential", "targets.add_target", "targets.change_target"):
        assert rights.may_create(made_up.user(right))
    assert not rights.may_create(made_up.user("targets.view_target", "targets.view_credential"))
    assert not rights.may_create(None)
