"""A bank's chatbot with a secret, its owner, and somebody else with the same rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from django.contrib.auth.models import User

from targets.models import Target
from tests.hostile.server import HostileServer
from tests.integration.web import made_up
from tests.integration.web.chatbot import always
from tests.support.credentials import keep

ANSWER: Final = {"choices": [{"message": {"role": "assistant", "content": "Rhine"}}]}
REFUSED: Final = "you may not use the credential 'bank': ask its owner (ann) for it, or choose another one"
RIGHTS: Final = (
    "targets.add_target",
    "targets.change_target",
    "targets.view_target",
    "runs.add_testplan",
    "runs.change_testplan",
    "runs.view_testplan",
    "runs.change_run",
    "runs.view_run",
    "runs.add_planschedule",
    "runs.change_planschedule",
    "runs.view_planschedule",
)


def listening() -> Iterator[HostileServer]:
    with always(ANSWER) as server:
        yield server


bank_server = pytest.fixture(listening)
thief = pytest.fixture(listening)


@pytest.fixture
def ann(db: None) -> User:
    """The owner, with the same rights as the other."""
    user = made_up.user(*RIGHTS)
    User.objects.filter(pk=user.pk).update(username="ann")
    return User.objects.get(pk=user.pk)


@pytest.fixture
def mal(db: None) -> User:
    return made_up.user(*RIGHTS)


@pytest.fixture
def bank(ann: User, bank_server: HostileServer) -> Target:
    target = Target(name="bank", url=bank_server.url, preset="openai-chat", params={"model": "m"})
    keep(target, {"api_key": made_up.SECRET}, owner=ann)
    return target
