"""Turn lines by hand, times in ms, for tests that check one number."""

from __future__ import annotations

from typing import Any

from metrics.analysis.totals import Aggregate, merge
from metrics.columns import Columns
from metrics.ingest.batch import Batch, parse
from metrics.ingest.turns import turns_of
from metrics.report.html.page import report_html
from metrics.report_schema import RunReport
from tests.support.ledgers import encoded

MS = 1_000_000


def turn(number: int = 0, **changes: Any) -> dict[str, Any]:
    """An ok turn: planned 100, sent 110, first byte 120, chunk 130, content 150, last 190, done 200 ms."""
    line: dict[str, Any] = {
        "k": "turn", "id": number, "s": 1, "n": number, "out": "ok", "code": None, "detail": None,
        "planned": 100 * MS, "sent": 110 * MS, "fb": 120 * MS, "fc": 130 * MS, "ft": 150 * MS, "lc": 190 * MS,
        "done": 200 * MS, "hs": None, "chunks": 3, "in": 300, "outb": 200, "ti": 7, "to": 5, "ts": "usage",
        "icl": [20_000, 20_000], "err": None, "msg": "hi", "ans": "hello",
    }  # fmt: skip
    return line | changes


def failed(number: int = 0, out: str = "error", code: str | None = "http_500", **changes: Any) -> dict[str, Any]:
    nothing = {"fb": None, "fc": None, "ft": None, "lc": None, "icl": None, "chunks": 0, "to": None, "ts": "none"}
    return turn(number, out=out, code=code, **(nothing | changes))


def columns(*lines: dict[str, Any]) -> Columns:
    return turns_of(lines, {}).columns


def batch(*lines: dict[str, Any], **options: Any) -> Batch:
    return parse(b"".join(map(encoded, lines)), 1, 1, **options)


def aggregate(*lines: dict[str, Any]) -> Aggregate:
    return merge(batch(*lines).windows.values())


def head(timestamps: str = "kernel") -> dict[str, Any]:
    return {"k": "head", "timestamps": timestamps, "host": "h", "t0_wall_ns": 1, "of": 1}


def tail(turns: int, reason: str = "done") -> dict[str, Any]:
    return {
        "k": "tail", "at": 9_000 * MS, "reason": reason, "turns": turns, "sessions": 1, "cpu_ns": 10 * MS, "rss": 5,
    }  # fmt: skip


def generator(at_s: int, cpu_ms: int, **changes: Any) -> dict[str, Any]:
    line = {"k": "gen", "at": at_s * 1000 * MS, "cpu_ns": cpu_ms * MS, "rss": 9, "lag": [100], "active": 1}
    return line | {"inflight": 1, "dropped": 0} | changes


def html_of(report: RunReport) -> str:
    """The report as an HTML file."""
    return report_html(report, "1 user", "")
