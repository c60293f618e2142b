"""What people do with their log-ins is in the audit log, without keys and codes."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import ApiToken, SecondFactor
from audit.models import AuditEvent
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import PAGE, shown

pytestmark = pytest.mark.django_db


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


def test_tokens_and_second_factors() -> None:
    user, client = made_up.user(), Client()
    client.force_login(user)
    before = len(actions())
    key = client.post("/admin/accounts/apitoken/add/", {"name": "ci", "scopes": ["run"], "days": "9"})
    client.post(
        "/admin/accounts/apitoken/", {"action": "revoke_tokens", "_selected_action": [ApiToken.objects.get().pk]}
    )
    client.post(PAGE, {"do": "begin"})
    factor = SecondFactor.objects.get()
    client.post(PAGE, {"do": "confirm", "code": shown(factor)})
    done = actions()[before:]
    for action in ("apitoken.create", "apitoken.revoke", "second_factor.add"):
        assert done.count(action) == 1, done
    assert not any(name.startswith(("recoverycode", "logingeneration", "secondfactor")) for name in done)
    call_command("reset_second_factor", user.username, stdout=StringIO())
    assert actions()[-1] == "second_factor.reset"
    said = repr(list(AuditEvent.objects.values()))
    assert ApiToken.objects.get().digest not in said and factor.sealed_secrets not in said
    assert key.status_code == 200
