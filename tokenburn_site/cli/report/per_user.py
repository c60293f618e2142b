"""The table of `--per-user`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table

from metrics.number_format import numbers
from plain_text.console import PlainConsole
from plain_text.visible import visible
from runs.models import Run
from runs.reporting import per_user

MOST_ROWS = 50
COLUMNS = ("user", "started", "done", "failed", "sent", "tokens", "mean", "min", "max", "slept")
NOTE = "started, done, failed: conversations; mean, min, max: ms of ok turns; slept: s between messages"


def users_text(run: Run, width: int) -> str:
    """One row for each of the first users, in lines of `width` columns; the API and the CSV file have all of them."""
    users = list(per_user.user_numbers(run.pk)[: MOST_ROWS + 1])
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for name in COLUMNS:
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("models", overflow="fold")
    for cells in _rows(per_user.users(run.pk, users[:MOST_ROWS])):
        found.add_row(*cells)
    more = f"; the first {MOST_ROWS}: /api/runs/{run.pk}/users/ has all" if len(users) > MOST_ROWS else ""
    found.caption, found.caption_justify = NOTE + more, "left"
    file = io.StringIO()
    PlainConsole(file=file, width=width).print("users", found)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _rows(users: Iterable[dict[str, Any]]) -> list[list[str]]:
    found = list(users)
    columns = [numbers(column) for column in zip(*map(_figures, found), strict=True)]
    cells = zip(*columns, strict=True)
    return [[str(one["user"]), *figures, _models(one)] for one, figures in zip(found, cells, strict=True)]


def _models(one: dict[str, Any]) -> str:
    return visible(", ".join(f"{model} ({count})" for model, count in one["models"].items()))


def _figures(one: dict[str, Any]) -> Sequence[float | None]:
    talks, latency = one["conversations"], one["latency_ms"]
    return (
        *(talks[word] for word in ("started", "completed", "failed")),
        one["turns"]["sent"],
        one["tokens"]["total"],
        *(latency[word] for word in ("mean", "min", "max")),
        one["sleep_s"],
    )
