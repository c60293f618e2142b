"""The emergency link of the command line."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.integration.web import made_up
from tests.integration.web.accounts.authenticator import CODE, LOG_IN, enrolled, logged_in
from tokenburn_site.local.lock import UP_LOCK, note_site, only_one

pytestmark = pytest.mark.django_db


def whole_link(user: User) -> str:
    out = StringIO()
    call_command("log_in_link", user.username, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def link(user: User) -> str:
    parts = urlsplit(whole_link(user))
    return f"{parts.path}?{parts.query}"


def test_the_command_line_has_an_emergency_door(settings: Any) -> None:
    settings.LOCAL_PASSWORDS = False
    user, client = made_up.user(), Client()
    address = link(user)
    assert user.username in client.get(address).content.decode() and not logged_in(client), "a look is no log-in"
    assert client.post(address)["Location"] == "/admin/" and logged_in(client)
    assert client.post(address)["Location"] == LOG_IN, "it works once"
    assert client.post("/account/log-in/emergency/?key=1:x:y")["Location"] == LOG_IN
    enrolled(user)
    other = Client()
    assert other.post(link(user))["Location"] == CODE and not logged_in(other)
    for wrong in ("nobody", made_up.user(staff=False).username):
        with pytest.raises(CommandError):
            call_command("log_in_link", wrong)


def test_an_emergency_link_grows_old(monkeypatch: Any) -> None:
    address, now = link(made_up.user()), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)
    assert Client().post(address)["Location"] == LOG_IN


def test_the_link_leads_to_the_site_that_runs(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR, settings.SITE_URL = tmp_path, ""
    user, path = made_up.user(), "/account/log-in/emergency/?key="
    assert whole_link(user).startswith(f"http://127.0.0.1:8000{path}"), "nothing runs: where `up` will be"
    with only_one(tmp_path / UP_LOCK):
        note_site(tmp_path / UP_LOCK, "http://127.0.0.1:8123")
        assert whole_link(user).startswith(f"http://127.0.0.1:8123{path}")
        settings.SITE_URL = "https://burn.example/"
        assert whole_link(user).startswith(f"https://burn.example{path}")
