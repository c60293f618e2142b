"""Sockets ask for the same as pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from accounts import sessions
from accounts.models import SecondFactor
from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import CODE, enrolled, password, shown
from tests.integration.web.pages.page_socket import page, refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def cookie(client: Client) -> str:
    return f"{django_settings.SESSION_COOKIE_NAME}={client.cookies[django_settings.SESSION_COOKIE_NAME].value}"


def test_a_password_alone_opens_no_socket() -> None:
    user, client, run = made_up.user("runs.view_run"), Client(), made_up.run(RunStatus.RUNNING)
    enrolled(user)
    password(client, user)
    assert refused(page(run, cookie(client)))
    client.post(CODE, {"code": shown(SecondFactor.objects.get())})
    assert not refused(page(run, cookie(client)))
    other = Client()
    other.force_login(user)
    assert refused(page(run, cookie(other))), "whatever door made the session"


def test_whoever_must_set_up_a_factor_gets_no_socket(settings: Any) -> None:
    user, client, run = made_up.user("runs.view_run"), Client(), made_up.run(RunStatus.RUNNING)
    password(client, user)
    assert not refused(page(run, cookie(client)))
    settings.REQUIRE_MFA = "all"
    assert refused(page(run, cookie(client)))


def test_a_log_in_that_has_ended_opens_no_socket(settings: Any) -> None:
    user, client, run = made_up.user("runs.view_run"), Client(), made_up.run(RunStatus.RUNNING)
    password(client, user)
    sessions.end_all(user)
    assert refused(page(run, cookie(client)))
    password(client, user)
    settings.SESSION_IDLE_HOURS = 1e-9
    assert refused(page(run, cookie(client)))
