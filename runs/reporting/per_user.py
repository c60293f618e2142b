"""A run's conversations and users one by one, for the API, CSV files and the command line. Rows are read in order of
ids, so memory is bounded by the largest user."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeVar

from django.db.models import Count, Q, QuerySet

from metrics.analysis.by_user import TURN_FIELDS, Figures, TurnRow, add_conversation
from metrics.analysis.counts import per_second
from metrics.csv_cells import escape_csv
from metrics.earlier_names import TRUNCATED, present_code, session_end
from metrics.ingest.windows import Span, is_counted
from metrics.models import SessionMetric
from metrics.number_format import load_s_of
from metrics.storage.chunks import in_chunks
from runs.load.profile import parse_load
from runs.models import Run, Session

T = TypeVar("T")
ENDS = ("completed", "failed", TRUNCATED, "lost")
CHUNK = 5000
CONVERSATION_COLUMNS = (
    "id", "user", "number_of_turns", "scenario", "model", "params", "outcome", "code", "sent", "ok", "failed",
    "aborted", "tokens_in", "tokens_out", "tokens_total", "latency_total_ms", "latency_mean_ms", "latency_min_ms",
    "latency_max_ms", "sleep_s", "latencies_ms", "counted",
)  # fmt: skip
EARLIER_COLUMNS = ("cut", "conversations_per_min")
"""Earlier names of `truncated` and `ended_sessions_per_min`, until 1.0."""
USER_COLUMNS = (
    "user", "conversations", *ENDS, "ended_sessions_per_min", "sent", "ok", "failed_turns", "aborted", "tokens_in",
    "tokens_out", "tokens_total", "latency_mean_ms", "latency_min_ms", "latency_max_ms", "sleep_s", "duration_s",
    "models", *EARLIER_COLUMNS,
)  # fmt: skip


class _Counted(NamedTuple):
    """The counted part of a run, as in its report: conversations that began, and turns that were planned, outside
    warm-up and cool-down. `load_s`: its duration; None: there is no report yet."""

    span: Span
    load_s: float | None

    def within(self, field: str) -> Q:
        """A filter for rows whose `field` (ns since the start) is in that part."""
        from_ns, to_ns = self.span
        return Q(**{f"{field}__gte": from_ns}) & (Q() if to_ns is None else Q(**{f"{field}__lt": to_ns}))


def _counted(run_id: int) -> _Counted:
    run = Run.objects.only("load", "report").get(pk=run_id)
    return _Counted(parse_load(run.load).counted_ns, None if run.report is None else load_s_of(run.report["run"]))


def user_numbers(run_id: int) -> QuerySet[Session, int]:
    """The numbers of the run's users, ascending."""
    return Session.objects.filter(run=run_id).order_by("user_no").values_list("user_no", flat=True).distinct()


def conversations(sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Figures of these conversations of one run, with all their turns; `counted`: included in the run's figures."""
    if not sessions:
        return []
    span = _counted(sessions[0].run_id).span
    rows = SessionMetric.objects.filter(session__in=[session.pk for session in sessions])
    found = dict(_of_sessions(rows.order_by("session_id", "id")))
    return [
        _conversation(session, found.get(session.pk, Figures())) | {"counted": is_counted(session.started_ns, span)}
        for session in sessions
    ]


def users(run_id: int, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Figures of these users of a run, in ascending order, without warm-up and cool-down."""
    counted = _counted(run_id)
    sessions = Session.objects.filter(counted.within("started_ns"), run=run_id, user_no__in=numbers)
    ends: dict[int, Counter[str]] = {}
    models: dict[int, Counter[str]] = {}
    for user, outcome, model, count in sessions.values_list("user_no", "outcome", "model").annotate(n=Count("id")):
        ends.setdefault(user, Counter())[session_end(outcome)] += count
        models.setdefault(user, Counter())[model] += count
    turns = SessionMetric.objects.filter(counted.within("planned_ns"), run=run_id, session__user_no__in=numbers)
    rows = turns.order_by("session__user_no", "session_id", "id").values_list("session__user_no", *TURN_FIELDS)
    found: dict[int, Figures] = {}
    for user, own in groupby(in_chunks(rows, CHUNK), key=itemgetter(0)):
        figures = found[user] = Figures()
        for _, talk in groupby((TurnRow(*row[1:]) for row in own), key=attrgetter("session_id")):
            add_conversation(figures, talk)
    none: Counter[str] = Counter()
    return [
        _user(user, ends.get(user, none), models.get(user, none), found.get(user, Figures()), counted.load_s)
        for user in sorted(numbers)
    ]


def conversations_csv(run_id: int) -> Iterator[str]:
    """A line for each conversation; lists separated by spaces."""
    yield _csv_line(CONVERSATION_COLUMNS)
    sessions = Session.objects.filter(run=run_id).order_by("pk")
    for piece in _pieces(sessions.count(), lambda low, high: list(sessions[low:high])):
        for one in conversations(piece):
            turns, tokens, latency = one["turns"], one["tokens"], one["latency_ms"]
            yield _csv_line([
                one["id"], one["user"], one["messages"], one["scenario"], one["model"], _pairs(one["params"] or {}),
                one["outcome"], one["code"], turns["sent"], turns["ok"], turns["failed"], turns["aborted"],
                tokens["input"], tokens["output"], tokens["total"], latency["total"], latency["mean"], latency["min"],
                latency["max"], one["sleep_s"], " ".join(map(str, one["latencies_ms"])), one["counted"],
            ])  # fmt: skip


def users_csv(run_id: int) -> Iterator[str]:
    """A line for each user; models as `name=conversations`."""
    yield _csv_line(USER_COLUMNS)
    numbers = user_numbers(run_id)
    for piece in _pieces(numbers.count(), lambda low, high: list(numbers[low:high])):
        for one in users(run_id, piece):
            talks, turns, tokens, latency = one["conversations"], one["turns"], one["tokens"], one["latency_ms"]
            yield _csv_line([
                one["user"], talks["started"], *(talks[word] for word in ENDS), one["ended_sessions_per_min"],
                turns["sent"], turns["ok"], turns["failed"], turns["aborted"], tokens["input"], tokens["output"],
                tokens["total"], latency["mean"], latency["min"], latency["max"], one["sleep_s"], one["duration_s"],
                _pairs(one["models"]), talks[TRUNCATED], one["ended_sessions_per_min"],
            ])  # fmt: skip


def _pieces(total: int, read: Callable[[int, int], list[T]], size: int = 500) -> Iterator[list[T]]:
    for low in range(0, total, size):
        yield read(low, low + size)


def _of_sessions(rows: QuerySet[SessionMetric]) -> Iterator[tuple[int, Figures]]:
    turns = (TurnRow(*row) for row in in_chunks(rows.values_list(*TURN_FIELDS), CHUNK))
    for session_id, own in groupby(turns, key=attrgetter("session_id")):
        figures = Figures()
        add_conversation(figures, own)
        yield session_id, figures


def _conversation(session: Session, figures: Figures) -> dict[str, Any]:
    return {
        "id": session.pk,
        "user": session.user_no,
        "scenario": session.scenario,
        "model": session.model,
        "params": session.params,
        "outcome": session_end(session.outcome),
        "code": present_code(session.code),
        "messages": session.turns,
        **figures.as_dict(),
        "latencies_ms": figures.each_ms,
    }


def _user(
    user: int, ends: Counter[str], models: Counter[str], figures: Figures, load_s: float | None
) -> dict[str, Any]:
    rate = per_second(_ended(ends) * 60, load_s)
    per_min = None if rate is None else round(rate, 3)
    return {
        "user": user,
        "conversations": {"started": ends.total(), **{word: ends[word] for word in ENDS}, "cut": ends[TRUNCATED]},
        "ended_sessions_per_min": per_min,
        "conversations_per_min": per_min,
        **figures.as_dict(),
        "duration_s": round(figures.duration_s, 3),
        "models": {model: count for model, count in sorted(models.items()) if model},
    }


def _ended(ends: Counter[str]) -> int:
    return sum(ends[word] for word in ENDS)


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([escape_csv(cell) for cell in cells])
    return line.getvalue()


def _pairs(found: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in found.items())
