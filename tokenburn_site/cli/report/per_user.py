"""The table of `--per-user`."""

from __future__ import annotations

import io
from typing import Any

from rich import box
from rich.table import Table

from metrics.number_format import number
from plain_text.console import PlainConsole
from plain_text.visible import visible
from runs.models import Run
from runs.reporting import per_user

MOST_ROWS = 50
COLUMNS = ("user", "started", "done", "failed", "sent", "tokens", "mean", "min", "max", "slept")
NOTE = "started, done, failed: conversations; mean, min, max: ms of ok turns; slept: s between messages"


def users_text(run: Run, width: int) -> str:
    """One row for each of the first users, in lines of `width` columns; the API and the CSV file have all of them."""
    numbers = list(per_user.user_numbers(run.pk)[: MOST_ROWS + 1])
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for name in COLUMNS:
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("models", overflow="fold")
    for one in per_user.users(run.pk, numbers[:MOST_ROWS]):
        found.add_row(*_cells(one))
    more = f"; the first {MOST_ROWS}: /api/runs/{run.pk}/users/ has all" if len(numbers) > MOST_ROWS else ""
    found.caption, found.caption_justify = NOTE + more, "left"
    file = io.StringIO()
    PlainConsole(file=file, width=width).print("users", found)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _cells(one: dict[str, Any]) -> list[str]:
    talks, latency = one["conversations"], one["latency_ms"]
    figures = (
        *(talks[word] for word in ("started", "completed", "failed")),
        one["turns"]["sent"],
        one["tokens"]["total"],
        *(latency[word] for word in ("mean", "min", "max")),
        one["sleep_s"],
    )
    return [str(one["user"]), *map(number, figures), visible(", ".join(f"{m} ({n})" for m, n in one["models"].items()))]
