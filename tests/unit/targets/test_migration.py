"""Targets with secrets of an earlier version become targets with credentials, on each database and without any key."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from sealing.secrets import row_label, seal
from targets.models import Credential, Target
from targets.services import target_spec
from tests.support import services
from tests.support.databases import as_default, configuration

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE, LATEST = ("targets", "0002_help_texts"), "0005_targets_without_secrets"
SECRET = {"api_key": "sk-of-old"}
STEP = {"name": "login", "method": "POST", "url": "https://Login.example.org/token", "body": {}}
OWN = {**STEP, "name": "own", "url": "/own", "headers": {"HOST": "own.example.org"}}
TEMPLATE = {**STEP, "name": "template", "url": "https://{{ saved.host }}/x"}
ELSEWHERE = {
    "handshake": {"steps": [STEP, OWN, TEMPLATE]},
    "request": {"headers": {"Host": "virtual.example.org:8443"}},
    "proxy": {"url": "http://gate:3128"},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'db'}"
    if request.param == "postgresql":
        url = services.create_postgres_database(request.getfixturevalue("postgres"), f"old_{uuid.uuid4().hex}")
    with as_default(configuration(url)):
        yield request.param


def old_target(name: str, secrets: dict[str, str], **fields: Any) -> None:
    model = MigrationExecutor(connection).loader.project_state([BEFORE]).apps.get_model("targets", "Target")
    uid = uuid.uuid4()
    fields = {"url": "wss://bot.example.org/chat", **fields}
    model.objects.create(uid=uid, name=name, sealed_secrets=seal(secrets, row_label("targets.secrets", uid)), **fields)


@pytest.mark.usefixtures("fresh")
def test_each_targets_secrets_become_its_credential_and_back(settings: Any) -> None:
    call_command("migrate", *BEFORE, verbosity=0, interactive=False)
    old_target("plain", {})
    old_target("keyed", SECRET)
    old_target("elsewhere", SECRET, overrides=ELSEWHERE)
    old_target("odd", SECRET, preset="gone", url="no url at all", overrides=[])
    ring, settings.SECRET_KEYRING = settings.SECRET_KEYRING, [("another", b"x" * 32)]
    call_command("migrate", "targets", LATEST, verbosity=0, interactive=False)
    settings.SECRET_KEYRING = ring

    found = {target.name: target for target in Target.objects.select_related("credential")}
    assert found["plain"].credential is None
    origins = {credential.name: credential.origins for credential in Credential.objects.all()}
    assert origins == {
        "keyed": ["https://bot.example.org:443"],
        "elsewhere": [
            "https://bot.example.org:443",
            "https://login.example.org:443",
            "https://virtual.example.org:8443",
            "https://own.example.org:443",
            "http://gate:3128",
        ],
        "odd": [],
    }
    spec = target_spec(found["elsewhere"])
    assert set(spec.own_origins()) == set(origins["elsewhere"]), "the target can be used as before"
    assert [found[name].get_secrets() for name in origins] == [SECRET] * 3
    assert {credential.owner for credential in Credential.objects.all()} == {None}

    call_command("migrate", *BEFORE, verbosity=0, interactive=False)
    call_command("migrate", "targets", LATEST, verbosity=0, interactive=False)
    assert {target.name: target.get_secrets() for target in Target.objects.all()} == {
        "plain": {},
        **dict.fromkeys(origins, SECRET),
    }, "it can be taken back"
