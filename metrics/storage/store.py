"""Writes batches into the database, inside the caller's transaction: PostgreSQL by COPY, SQLite by executemany.

The caller moves the shard's ledger offset in the same transaction; that is what makes ingest exactly-once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from django.apps import apps
from django.db import connection
from django.db.models import Max, Model
from django.db.models.functions import Left

from metrics.columns import OUTCOMES
from metrics.ingest.batch import Batch
from metrics.ingest.repetition import COMPARED_CHARS
from metrics.ingest.turns import ROW_FIELDS
from metrics.models import SessionMetric, Window

Row = tuple[Any, ...]

_TURN = ("run_id", "shard_id", *ROW_FIELDS)
_WINDOW = ("run_id", "shard_id", "second", "ledger_offset", "data")
_SESSION = (
    "id", "run_id", "shard_id", "user_no", "scenario", "group", "model", "params", "started_ns", "ended_ns", "outcome",
    "code", "turns",
)  # fmt: skip
_TYPES = {
    "BigAutoField": "int8",
    "BigIntegerField": "int8",
    "IntegerField": "int4",
    "ForeignKey": "int8",
    "CharField": "text",
    "TextField": "text",
    "FloatField": "float8",
    "JSONField": "jsonb",
    "BinaryField": "bytea",
}


def write(batch: Batch) -> None:
    """Store the batch's turns, sessions and windows. Must run inside `transaction.atomic()`.

    Raises django.db.IntegrityError if any of it is stored already.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("store.write needs the transaction that also moves the shard's offset")
    run_shard = (batch.run_id, batch.shard_id)
    _insert(SessionMetric, _TURN, ((*run_shard, *row) for row in batch.turns), skip_empty=not len(batch.turns))
    _write_sessions(batch)
    windows = (
        (*run_shard, second, batch.base_offset, orjson.dumps(data).decode())
        for second, data in sorted(batch.windows.items())
    )
    _insert(Window, _WINDOW, windows, skip_empty=not batch.windows)


def last_answers(shard_id: int) -> dict[int, str]:
    """The last ok answer of each open session, for `metrics.ingest.batch.parse` after a restart."""
    ok = SessionMetric.objects.filter(shard=shard_id, session__outcome="", outcome=OUTCOMES[0])
    answered = ok.exclude(answer=None).exclude(answer="").order_by()
    last = answered.values("session_id").annotate(last=Max("id")).values("last")
    rows = SessionMetric.objects.filter(pk__in=last).annotate(head=Left("answer", COMPARED_CHARS))
    return dict(rows.values_list("session_id", "head"))


def _write_sessions(batch: Batch) -> None:
    """Sessions that begin in this batch are inserted, ended or not; the others are updated by their end."""
    session = session_model()
    closes = {close.id: close for close in batch.closes}
    rows: list[Row] = []
    for opened in batch.opens:
        who = (opened.user_no, opened.scenario, opened.group, opened.model, opened.params)
        begin = (opened.id, batch.run_id, batch.shard_id, *who, opened.started_ns)
        closed = closes.pop(opened.id, None)
        end = (closed.ended_ns, closed.outcome, closed.code, closed.turns) if closed else (None, "", None, 0)
        rows.append((*begin, *end))
    _insert(session, _SESSION, rows, skip_empty=not rows)
    if closes:
        sql = f"UPDATE {_table(session)} SET ended_ns = %s, outcome = %s, code = %s, turns = %s WHERE id = %s"  # noqa: S608 - only our own table name goes in
        with connection.cursor() as cursor:
            cursor.executemany(sql, [(c.ended_ns, c.outcome, c.code, c.turns, c.id) for c in closes.values()])


def session_model() -> type[Model]:
    """Found by its name: this package does not import `runs`."""
    return apps.get_model("runs.Session")


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _columns(fields: Sequence[str]) -> str:
    return ", ".join(connection.ops.quote_name(name) for name in fields)


def _insert(model: type[Model], fields: Sequence[str], rows: Iterable[Row], *, skip_empty: bool) -> None:
    if skip_empty:
        return
    if connection.vendor == "postgresql":
        _copy(model, fields, rows)
    else:
        marks = ", ".join(["%s"] * len(fields))
        sql = f"INSERT INTO {_table(model)} ({_columns(fields)}) VALUES ({marks})"  # noqa: S608 - names of our own fields
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)  # type: ignore[arg-type]  # sqlite3 takes any iterable, and we need no list of it


def _copy(model: type[Model], fields: Sequence[str], rows: Iterable[Row]) -> None:
    from psycopg.types.json import Jsonb  # late import: not needed with SQLite

    types = [_TYPES[_internal_type(model, name)] for name in fields]
    json_at = types.index("jsonb") if "jsonb" in types else None
    sql = f"COPY {_table(model)} ({_columns(fields)}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(sql) as copy:
        copy.set_types(types)
        for row in rows:
            if json_at is None or row[json_at] is None:
                copy.write_row(row)
            else:
                copy.write_row((*row[:json_at], Jsonb(row[json_at], _as_it_is), *row[json_at + 1 :]))


def _as_it_is(text: str) -> str:
    """The JSON columns' values are JSON already."""
    return text


def _internal_type(model: type[Model], column: str) -> str:
    field = next(f for f in model._meta.concrete_fields if f.column == column)
    return field.get_internal_type()
