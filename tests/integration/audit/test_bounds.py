"""Strangers cannot fill the log, and no refusal is forgotten."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit import tally
from audit.models import AuditEvent, AuditTally
from tests.integration.web import made_up

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few_in_one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(tally, "EACH", 3)
    monkeypatch.setattr(tally, "timezone", SimpleNamespace(now=lambda: now))


def a_minute_passes() -> None:
    AuditTally.objects.update(minute=timezone.now() - timedelta(minutes=5))


def refused(address: str = "192.0.2.7", **more: Any) -> None:
    Client().get("/api/targets/", REMOTE_ADDR=address, **more)


def test_of_one_address_few_are_written_and_all_are_counted() -> None:
    for _ in range(tally.EACH + 7):
        refused()
    assert AuditEvent.objects.filter(outcome="refused", address="192.0.2.7").count() == tally.EACH
    a_minute_passes()
    refused("192.0.2.8")
    (counted,) = AuditEvent.objects.filter(details__has_key="more")
    assert (counted.action, counted.address, counted.details["more"]) == ("request.get", "192.0.2.7", 7)
    a_minute_passes()
    tally.write_counts()
    assert not AuditTally.objects.exists()
    assert AuditEvent.objects.filter(details__has_key="more").count() == 1, "nobody else had more than was written"


def test_another_address_is_told_apart() -> None:
    for _ in range(tally.EACH + 1):
        refused()
    refused("192.0.2.9")
    assert AuditEvent.objects.filter(address="192.0.2.9").count() == 1


def test_a_network_of_ipv6_is_one_source() -> None:
    for number in range(tally.EACH + 5):
        refused(f"2001:db8::{number:x}")
    assert AuditEvent.objects.count() == tally.EACH
    assert AuditTally.objects.get().source == "2001:db8::/64"


def test_many_addresses_become_one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "SOURCES", 3)
    for number in range(3 + tally.EACH + 5):
        refused(f"198.51.100.{number}")
    assert AuditEvent.objects.count() == 3 + tally.EACH
    assert AuditTally.objects.count() == 4
    a_minute_passes()
    tally.write_counts()
    said = AuditEvent.objects.latest("id").details
    assert (said["source"], said["more"]) == (tally.OTHERS, 5)


def test_either_database_counts_and_bounds(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "SOURCES", 2)
    asked = ["a"] * 4 + ["b"] + ["c"] * 2 + ["d"] * 2 + ["a"]
    assert [tally.admits(source, "try") for source in asked] == [True] * 3 + [False] + [True] * 4 + [False] * 2
    found = AuditTally.objects.order_by("source").values_list("source", "action", "count")
    assert list(found) == [("a", "try", 5), ("b", "try", 1), (tally.OTHERS, "try", 4)]
    assert {minute.second for minute in AuditTally.objects.values_list("minute", flat=True)} == {0}


def test_failed_log_ins_are_counted_too() -> None:
    for number in range(tally.EACH + 3):
        Client().post("/admin/login/", {"username": f"u{number}", "password": "x"}, REMOTE_ADDR="192.0.2.7")
    assert AuditEvent.objects.filter(action="login").count() == tally.EACH
    assert AuditTally.objects.get(action="login").count == tally.EACH + 3


def test_a_user_who_may_not_is_counted_by_name(client: Client) -> None:
    user = made_up.user()
    client.force_login(user)
    for number in range(tally.EACH + 2):
        client.get("/api/targets/", REMOTE_ADDR=f"192.0.2.{number}")
    assert AuditEvent.objects.filter(outcome="refused", user_key=user.pk).count() == tally.EACH
    assert AuditTally.objects.get().source == f"user {user.pk}"


def test_addresses_without_a_route_are_not_told() -> None:
    Client().get("/wp-login.php")
    Client().post("/nothing/here/")
    assert not AuditEvent.objects.exists()
