"""How runs look on pages: badges, durations, loads in words. No decisions, only words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from metrics.words import counted
from runs.folding import arrivals_text, folded
from runs.models import Run

SHORT_S = 1.0
"""Below it a duration has decimals: a run of 0.3 s did not last for 0 s."""
CEILINGS = {"tokens": "tokens", "money": "of money", "turns": "turns", "errors": "errors"}


def status_badge(status: str) -> SafeString:
    return format_html('<span class="tb-badge tb-badge--{}">{}</span>', status, status)


def load_text(load: Any) -> str:
    """For example "50 users, 30 s" or "20/s poisson, 100 conversations"."""
    if not isinstance(load, Mapping):
        return ""
    open_loop = load.get("kind") == "open"
    if sweep := load.get("sweep"):
        levels = ", ".join(f"{level:g}" for level in sweep.get("levels", []))
        return f"sweep over {levels} {'a second' if open_loop else 'users'}, {sweep.get('hold_s', 20):g} s each"
    how = (
        f"{load.get('rate_per_s'):g}/s {load.get('arrivals')}" if open_loop else counted(load.get("users") or 0, "user")
    )
    if load.get("kind") == "trace":
        times = arrivals_text(load)
        how = f"a trace{f' of {times}' if times else ''} at {load.get('speed', 1):g} times its speed"
        how += f", times read as {unit}" if (unit := load.get("trace_unit")) else ""
    if search := load.get("search"):
        return f"search from {how} for the highest load with {' and '.join(search.get('conditions', []))}"
    if stages := load.get("stages"):
        how += "".join(f" \u2192 {stage['to']:g} in {stage['duration_s']:g} s" for stage in stages)
    duration, conversations = load.get("duration_s"), load.get("conversations")
    long = [f"{duration:g} s"] if duration else []
    many = [counted(conversations, "conversation")] if conversations else []
    return ", ".join([how, *long, *many, *_people(load.get("people") or {}), *_ceilings(load.get("budget") or {})])


def load_json(load: Any) -> SafeString:
    """The whole of it; of a trace how many times there are, the first and the last."""
    return format_html('<pre class="tb-spec">{}</pre>', json.dumps(folded(load), ensure_ascii=False, indent=2))


def _people(people: Mapping[str, Any]) -> Iterator[str]:
    if (at_once := people.get("at_once", 1)) > 1:
        yield f"{at_once} conversations at once each"
    if people.get("models_from_target"):
        yield "the target's models"
    elif models := people.get("models"):
        yield f"{len(models)} models" if len(models) > 1 else str(models[0])
    if temperature := people.get("temperature"):
        yield "temperature " + " to ".join(f"{bound:g}" for bound in dict.fromkeys(temperature))
    if first := people.get("first_messages"):
        yield f"{first['share']:.0%} end after {first.get('low', 1)} to {first.get('high', 3)} messages"
    if people.get("think"):
        yield "thinking"
    if patience := people.get("patience"):
        yield f"impatient ({patience.get('then', 'abandon')})"


def _ceilings(budget: Mapping[str, Any]) -> list[str]:
    return [f"at most {budget[name]:,} {word}" for name, word in CEILINGS.items() if budget.get(name) is not None]


def duration_text(run: Run) -> str:
    """Time from the agreed start until now or the end; empty if the run has not started."""
    if run.start_at is None:
        return ""
    return seconds_text(((run.ended_at or timezone.now()) - run.start_at).total_seconds())


def seconds_text(seconds: float) -> str:
    if 0 < seconds < SHORT_S:
        return f"{max(seconds, 0.01):.2f} s"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"


def moment_text(moment: datetime | None) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else ""
