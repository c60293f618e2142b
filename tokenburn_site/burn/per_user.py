"""The table of `--per-user`: what each simulated user did."""

from __future__ import annotations

from itertools import islice
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from metrics.words import number
from runs import per_user
from runs.models import Run

MOST_ROWS = 50
COLUMNS = (
    "user",
    "conversations",
    "completed",
    "failed",
    "messages",
    "tokens",
    "mean ms",
    "min ms",
    "max ms",
    "slept s",
)


def table(run: Run) -> RenderableType:
    """One row for each of the first users; the API and the CSV file have all of them."""
    numbers = list(islice(per_user.user_numbers(run.pk)[: MOST_ROWS + 1], MOST_ROWS + 1))
    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1), title="users", title_justify="left")
    for name in COLUMNS:
        found.add_column(name, justify="right", no_wrap=True)
    found.add_column("models", overflow="ellipsis", no_wrap=True)
    for one in per_user.users(run.pk, numbers[:MOST_ROWS]):
        found.add_row(*_cells(one))
    if len(numbers) > MOST_ROWS:
        found.caption = f"The first {MOST_ROWS} users; all of them: /api/runs/{run.pk}/users/, or users.csv of its page"
        found.caption_justify = "left"
    return found


def _cells(one: dict[str, Any]) -> list[str]:
    talks, latency = one["conversations"], one["latency_ms"]
    figures = (
        *(talks[word] for word in ("started", "completed", "failed")),
        one["turns"]["sent"],
        one["tokens"]["total"],
        *(latency[word] for word in ("mean", "min", "max")),
        one["sleep_s"],
    )
    return [str(one["user"]), *map(number, figures), ", ".join(f"{m} ({n})" for m, n in one["models"].items())]
