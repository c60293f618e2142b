"""A run has the right of who asked for it until its engine starts, and the credential's origins of that moment."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group, User

from runs.models import Run, RunStatus
from runs.services import request_run, shard_spec
from runs.supervisor.supervisor import supervise
from targets.binding import led_to
from targets.models import Credential, Target
from targets.services import target_spec
from tests.integration.web import made_up
from tests.support.credentials import keep
from tests.support.runs import SECRET, a_run, shards

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = ("/bin/false",)
ELSEWHERE = "https://login.example.org:443"


@pytest.fixture
def bank() -> Target:
    target = Target(name="bank", url="http://127.0.0.1:9/v1", preset="openai-chat", params={"model": "m"})
    keep(target, {"api_key": SECRET}, origins=["http://127.0.0.1:9", ELSEWHERE])
    return target


def asked_by(user: User, target: Target) -> Run:
    return request_run(made_up.plan(target), user, local=True)


@pytest.mark.parametrize("loss", ["unlisted", "left the group", "deactivated", "deleted"])
def test_who_lost_the_right_since_starts_no_engine(loss: str, bank: Target) -> None:
    ann, group = made_up.user(), Group.objects.create(name="testers")
    credential = Credential.objects.get()
    if loss == "left the group":
        ann.groups.add(group)
        credential.groups.add(group)
    else:
        credential.users.add(ann)
    run, name = asked_by(ann, bank), str(ann)
    if loss == "unlisted":
        credential.users.clear()
    elif loss == "left the group":
        ann.groups.clear()
    elif loss == "deactivated":
        User.objects.filter(pk=ann.pk).update(is_active=False)
    else:
        ann.delete()
        name = "whoever asked for it"
    assert supervise(shards(run)[0].pk, command=NEVER)
    run.refresh_from_db()
    assert run.status == RunStatus.FAILED
    assert run.reason == (
        f"the run did not start: {name} may not use the credential 'bank' any more; somebody who may has to start it"
    )
    assert (run.sealed_secrets, run.credential, run.secret_origins) == ("", None, None)


def test_the_order_has_the_origins_and_the_stored_run_has_none_of_it(bank: Target) -> None:
    ann = made_up.user(superuser=True)
    run = asked_by(ann, bank)
    order = shard_spec(shards(run)[0]).target
    assert order.secret_origins == ("http://127.0.0.1:9", ELSEWHERE)
    assert order.secrets["api_key"].get_secret_value() == SECRET
    assert not {"secrets", "secret_origins"} & run.target_spec.keys()
    assert ELSEWHERE not in json.dumps(run.target_spec)


def test_an_origin_that_the_credential_lost_since_is_gone_for_the_run_too(bank: Target) -> None:
    run = asked_by(made_up.user(superuser=True), bank)
    Credential.objects.update(origins=["http://127.0.0.1:9", "https://new.example:443"])
    assert shard_spec(shards(run)[0]).target.secret_origins == ("http://127.0.0.1:9",)


def test_burn_on_a_stored_target_keeps_to_the_origins_of_its_credential(bank: Target) -> None:
    run = a_run(target=target_spec(bank, with_secrets=True))
    assert run.credential is None
    assert shard_spec(shards(run)[0]).target.secret_origins == ("http://127.0.0.1:9", ELSEWHERE)


def test_secrets_of_the_environment_go_where_the_target_leads() -> None:
    order = shard_spec(shards(a_run())[0]).target
    assert order.secret_origins is None
    assert order.own_origins() == ("http://127.0.0.1:9",)
    assert led_to(Target(name="t", url="no url")) == ()
