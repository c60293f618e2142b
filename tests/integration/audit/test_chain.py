"""The log's rows stay as they were written, in one chain, whoever writes at the same time."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, connection, models, transaction

from audit import chain
from audit.models import AppendOnly, AuditChain, AuditEvent
from audit.services import coming_from, record
from audit.triggers import TABLE, ensure

pytestmark = pytest.mark.usefixtures("any_database")
CHANGES = (
    "UPDATE audit_auditevent SET action = 'nothing' WHERE id = {id}",
    "UPDATE audit_auditevent SET sequence = 7 WHERE id = {id}",
    "UPDATE audit_auditevent SET digest = NULL WHERE id = {id}",
    "UPDATE audit_auditevent SET at = at WHERE id = {id}",
    "DELETE FROM audit_auditevent WHERE id = {id}",
    "DELETE FROM audit_auditevent",
)


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.order_by("sequence"))


def break_row(event: AuditEvent, **values: Any) -> None:
    """As somebody does who may change the database's schema."""
    with connection.cursor() as cursor:
        for name in ("audit_no_change", "audit_no_reseal"):
            cursor.execute(f"DROP TRIGGER {name}" + (f" ON {TABLE}" if connection.vendor == "postgresql" else ""))
    models.QuerySet(AuditEvent).filter(pk=event.pk).update(**values)
    ensure("default")


def test_events_form_a_chain() -> None:
    for number in range(3):
        record("run.start", details={"number": number})
    first, second, third = events()
    assert [first.sequence, second.sequence, third.sequence] == [1, 2, 3]
    assert second.digest == chain.digest(second, 2, first.digest or "")
    assert list(chain.problems()) == []
    assert str(AuditChain.objects.get()) == f"3:{third.digest}"


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_refuses_changes(change: str) -> None:
    event = record("login")
    record("logout")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(id=event.pk))
    assert [event.action for event in events()] == ["login", "logout"]
    assert list(chain.problems()) == []


def test_a_replacing_insert_is_refused_too(any_database: str) -> None:
    event = record("login")
    or_replace = "OR REPLACE" if any_database == "sqlite" else ""
    columns = ", ".join(str(f.column) for f in AuditEvent._meta.concrete_fields)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT {or_replace} INTO audit_auditevent ({columns}) SELECT {columns} FROM audit_auditevent"
            f" WHERE id = {event.pk}"
        )


@pytest.mark.parametrize("any_database", ["sqlite"], indirect=True)  # PostgreSQL has neither
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE OR REPLACE audit_auditevent SET sequence = 1 WHERE sequence IS NULL",
        "UPDATE OR REPLACE audit_auditevent SET rowid = {first} WHERE id = {late}",
        "UPDATE OR REPLACE audit_auditevent SET oid = {first} WHERE sequence IS NULL",
        "UPDATE audit_auditevent SET rowid = 1000000 WHERE id = {first}",
        "UPDATE audit_auditevent SET _rowid_ = 1000000 WHERE sequence = 1",
    ],
)
def test_sqlite_replaces_no_event_by_another(change: str) -> None:
    """Neither what is deleted by a REPLACE nor the other names of the column `id` go round the triggers."""
    first, late = record("login"), AuditEvent(action="late")
    late.save()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(first=first.pk, late=late.pk))
    assert {event.pk for event in events()} == {first.pk, late.pk}


def test_truncate_is_refused(any_database: str) -> None:
    record("login")
    truncate = "TRUNCATE" if any_database == "postgresql" else "DELETE FROM"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{truncate} audit_auditevent")


def test_the_models_refuse_changes() -> None:
    event = record("login")
    with pytest.raises(AppendOnly):
        event.save()
    with pytest.raises(AppendOnly):
        event.delete()
    for change in ("update", "delete"):
        with pytest.raises(AppendOnly):
            getattr(AuditEvent.objects.all(), change)()
    assert len(events()) == 1


@pytest.mark.parametrize(
    "values",
    [{"action": "x"}, {"details": {"rate": 2}}, {"user_name": "somebody else"}, {"at": "2020-01-01T00:00:00Z"}],
)
def test_a_changed_event_is_found(values: dict[str, Any]) -> None:
    event = record("run.start", details={"rate": 1})
    record("run.stop")
    break_row(event, **values)
    assert list(chain.problems()) == ["event 1 does not fit its digest: it, or the one before it, was changed"]


def test_a_missing_event_is_found() -> None:
    middle = [record(action) for action in ("a", "b", "c")][1]
    AuditChain.objects.update(pruning=2)
    models.QuerySet(AuditEvent).filter(pk=middle.pk)._raw_delete("default")
    AuditChain.objects.update(pruning=0)
    assert list(chain.problems()) == ["events 2 to 2 are missing"]


def test_a_cut_end_is_found() -> None:
    last = [record(action) for action in ("a", "b")][1]
    AuditChain.objects.update(pruning=2)
    models.QuerySet(AuditEvent).filter(pk=last.pk)._raw_delete("default")
    assert list(chain.problems()) == ["events 2 to 2 are missing"]


def test_the_events_of_a_transaction_are_sealed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed: list[int] = []
    whole = chain.seal
    monkeypatch.setattr(chain, "seal", lambda: sealed.append(whole()))
    with transaction.atomic():
        record("a")
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            record("rolled back")
            raise ZeroDivisionError
        record("b")
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        record("rolled back")
        raise ZeroDivisionError
    record("c")
    assert sealed == [2, 1]


def test_many_writers_keep_the_chain_whole() -> None:
    def write(writer: int) -> None:
        try:
            for number in range(10):
                with transaction.atomic():
                    Group.objects.create(name=f"{writer}.{number}")
                    record("group.create", details={"writer": writer, "number": number})
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [event.sequence for event in events()] == list(range(1, 41))
    assert list(chain.problems()) == []
    assert len({event.digest for event in events()}) == 40


def test_a_deed_that_is_rolled_back_leaves_no_event() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record("group.create")
        raise ZeroDivisionError
    assert events() == []


def test_a_refusal_outlives_the_rollback() -> None:
    user = User.objects.create_user("anna")
    with coming_from("api", user=user), pytest.raises(ZeroDivisionError), transaction.atomic():
        record("run.start", outcome="refused", details={"why": "quota"})
        raise ZeroDivisionError
    (event,) = events()
    assert (event.user_name, event.outcome, event.door, event.sequence) == ("anna", "refused", "api", 1)


def test_a_refusal_is_written_once() -> None:
    with coming_from("api"), transaction.atomic():
        record("run.start", outcome="refused")
    assert len(events()) == 1


def test_a_refusal_in_a_broken_transaction_is_written() -> None:
    Group.objects.create(name="a")
    with coming_from("api"), pytest.raises(DatabaseError), transaction.atomic():
        try:
            Group.objects.create(name="a")
        except DatabaseError:
            connection.needs_rollback = True
            record("group.create", outcome="failed")
            raise
    assert [event.outcome for event in events()] == ["failed"]


def test_what_a_killed_process_left_is_appended_by_the_next() -> None:
    AuditEvent(action="lost").save()
    record("next")
    assert [(event.action, event.sequence) for event in events()] == [("lost", 1), ("next", 2)]
