"""Whoever guesses passwords or tokens has to wait, and what they tried is on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from audit.sign_in import NO_USER
from runs.completion import retention
from tests.integration.web import made_up
from tokenburn_site.config.webconf import FAILURES, FAILURES_PAUSE

pytestmark = pytest.mark.django_db
LOG_IN = "/admin/login/"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


def log_in(username: str, password: str = "wrong", address: str = HERE, **more: Any) -> Any:
    return Client().post(LOG_IN, {"username": username, "password": password}, REMOTE_ADDR=address, **more)


def ask(token: str, address: str = HERE, path: str = "/api/targets/") -> Any:
    return Client().get(path, HTTP_AUTHORIZATION=f"Token {token}", REMOTE_ADDR=address)


def test_passwords_cannot_be_guessed_from_one_address_whatever_the_names() -> None:
    user = made_up.user()
    for number in range(FAILURES - 1):
        assert log_in(f"somebody{number % 3}", HTTP_USER_AGENT=f"browser {number % 4}").status_code == 200
    locked = log_in(user.username)
    assert locked.status_code == 429
    assert int(locked["Retry-After"]) == FAILURES_PAUSE.total_seconds()
    assert log_in(user.username, made_up.PASSWORD).status_code == 429, "the right one neither"
    assert log_in(user.username, made_up.PASSWORD, ELSEWHERE).status_code == 302, "nobody else is locked out"


def test_the_wait_ends_when_it_was_said_to_and_is_not_prolonged() -> None:
    user = made_up.user()
    for _ in range(FAILURES + 5):
        log_in(user.username)
    AccessAttempt.objects.update(attempt_time=timezone.now() - FAILURES_PAUSE - timedelta(seconds=1))
    assert log_in(user.username, made_up.PASSWORD).status_code == 302


def test_an_administrator_can_end_the_wait() -> None:
    user = made_up.user()
    for _ in range(FAILURES):
        log_in(user.username)
    assert log_in(user.username, made_up.PASSWORD).status_code == 429
    call_command("axes_reset_ip", HERE)
    assert log_in(user.username, made_up.PASSWORD).status_code == 302


def test_wrong_tokens_are_counted_and_a_right_one_is_not_refused() -> None:
    token = made_up.token(made_up.user("targets.view_target"))
    assert [ask(f"{number:040x}").status_code for number in range(FAILURES - 1)] == [401] * (FAILURES - 1)
    for number in range(3):
        refused = ask(f"{number:040x}")
        assert refused.status_code == 429
        assert refused.json() == {"detail": "Too many failed log-ins from this address: try again in 15 minutes."}
        assert refused["Retry-After"]
    assert ask(token).status_code == 200
    assert ask("0" * 40, ELSEWHERE).status_code == 401
    assert log_in("admin").status_code == 429, "one count for both doors"


def test_what_was_tried_is_on_record_without_the_password_or_token() -> None:
    user = made_up.user()
    log_in(user.username, "a password of another site")
    ask("f" * 40, path="/api/targets/%00/")
    log_in(user.username, made_up.PASSWORD)
    failed = AccessFailureLog.objects.order_by("pk").values_list("username", "ip_address", "path_info")
    assert list(failed) == [(user.username, HERE, LOG_IN), (NO_USER, HERE, "/api/targets//")]
    assert AccessLog.objects.get().username == user.username
    everything = [*AccessAttempt.objects.values_list(), *AccessFailureLog.objects.values_list()]
    assert "another site" not in repr(everything) and "ffff" not in repr(everything)


@pytest.mark.parametrize(
    ("https", "forwarded", "counted"),
    [
        (False, "203.0.113.9", HERE),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (True, "2001:db8::1", "2001:db8::1"),
        (True, "203.0.113.9, unknown", HERE),
        (True, "", HERE),
    ],
)
def test_a_client_cannot_choose_the_address_that_is_counted(
    settings: Any, https: bool, forwarded: str, counted: str
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if https else None
    log_in("somebody", HTTP_X_FORWARDED_FOR=forwarded)
    assert AccessFailureLog.objects.get().ip_address == counted


def test_records_are_deleted_after_the_time_that_the_history_is_kept(settings: Any) -> None:
    settings.HISTORY_DAYS = 30
    user = made_up.user()
    for name, days in ((user.username, 31), ("somebody", 29)):
        log_in(name)
        for model in (AccessAttempt, AccessFailureLog):
            model.objects.filter(username=name).update(attempt_time=timezone.now() - timedelta(days=days))
    log_in(user.username, made_up.PASSWORD)
    AccessLog.objects.update(attempt_time=timezone.now() - timedelta(days=31))
    assert retention.prune().log_ins >= 2
    assert not AccessLog.objects.exists()
    assert [one.username for one in AccessFailureLog.objects.all()] == ["somebody"]


def test_the_records_can_be_read_and_not_changed() -> None:
    log_in("somebody")
    client = Client()
    client.force_login(made_up.user("axes.view_accessfailurelog", "axes.delete_accessfailurelog"))
    page = client.get("/admin/axes/accessfailurelog/")
    assert b"somebody" in page.content and HERE.encode() in page.content
    row = AccessFailureLog.objects.get()
    assert client.get(f"/admin/axes/accessfailurelog/{row.pk}/change/").status_code == 200
    assert client.post(f"/admin/axes/accessfailurelog/{row.pk}/delete/", {"post": "yes"}).status_code == 403
