"""Formats runs for pages: badges, durations, loads. Contains no logic."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from metrics.number_format import counted, duration, exact, moment, share
from runs.load.earlier_names import present_load
from runs.load.typed import with_numbers
from runs.models import Run
from runs.reporting.load_summary import arrivals_text, summarize

CEILINGS = {"tokens": "tokens", "cost": "in cost", "turns": "turns", "errors": "errors"}
UNREADABLE_CHARS = 200


def status_badge(status: str) -> SafeString:
    return format_html('<span class="tb-badge tb-badge--{}">{}</span>', status, status)


def load_text(load: Any) -> str:
    """For example "50 users, 30 s" or "20/s poisson, 100 conversations"."""
    if not isinstance(load, Mapping):
        return ""
    load = present_load(load)
    try:
        return _load_text(load)
    except (TypeError, ValueError, LookupError, AttributeError):
        pass  # earlier versions stored numbers that were given as texts
    try:
        return _load_text(with_numbers(load))
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        return f"not readable: {json.dumps(summarize(load), ensure_ascii=False)[:UNREADABLE_CHARS]}"


def _load_text(load: Mapping[str, Any]) -> str:
    open_loop = load.get("kind") == "open"
    if sweep := load.get("sweep"):
        levels = ", ".join(exact(level) for level in sweep.get("levels", []))
        return f"sweep over {levels} {'a second' if open_loop else 'users'}, {duration(sweep.get('hold_s', 20))} each"
    how = (
        f"{exact(load.get('rate_per_s') or 0)}/s {load.get('arrivals')}"
        if open_loop
        else counted(load.get("users") or 0, "user")
    )
    if load.get("kind") == "trace":
        times = arrivals_text(load)
        how = f"a trace{f' of {times}' if times else ''} at {exact(load.get('speed', 1))} times its speed"
        how += f", times read as {unit}" if (unit := load.get("trace_unit")) else ""
    if search := load.get("search"):
        return f"search from {how} for the highest load with {' and '.join(search.get('conditions', []))}"
    if stages := load.get("stages"):
        how += "".join(f" \u2192 {exact(stage['to'])} in {duration(stage['duration_s'])}" for stage in stages)
    lasts, conversations = load.get("duration_s"), load.get("conversations")
    long = [duration(lasts)] if lasts else []
    many = [counted(conversations, "conversation")] if conversations else []
    capped = [f"at most {exact(cap)} turns/s"] if (cap := load.get("max_turns_per_s")) else []
    limits = [*capped, *_ceilings(load.get("budget") or {})]
    return ", ".join([how, *long, *many, *_profile_words(load.get("user_profile") or {}), *limits])


def load_json(load: Any) -> SafeString:
    """The whole of it; of a trace how many times there are, the first and the last."""
    return format_html('<pre class="tb-spec">{}</pre>', json.dumps(summarize(load), ensure_ascii=False, indent=2))


def _profile_words(profile: Mapping[str, Any]) -> Iterator[str]:
    if (held := profile.get("conversations_per_user", 1)) > 1:
        yield f"{held} conversations at once each"
    if profile.get("models_from_target"):
        yield "the target's models"
    elif models := profile.get("models"):
        yield f"{len(models)} models" if len(models) > 1 else str(models[0])
    if temperature := profile.get("temperature"):
        yield "temperature " + " to ".join(exact(bound) for bound in dict.fromkeys(temperature))
    if first := profile.get("first_messages"):
        yield f"{share(first['share'], 0)} end after {first.get('low', 1)} to {first.get('high', 3)} messages"
    if profile.get("think"):
        yield "thinking"
    if patience := profile.get("patience"):
        yield f"impatient ({patience.get('then', 'abandon')})"


def _ceilings(budget: Mapping[str, Any]) -> list[str]:
    return [f"at most {exact(budget[name])} {word}" for name, word in CEILINGS.items() if budget.get(name) is not None]


def duration_text(run: Run) -> str:
    """Time from the agreed start until now or the end; empty if the run has not started."""
    if run.start_at is None:
        return ""
    return duration(((run.ended_at or timezone.now()) - run.start_at).total_seconds())


def moment_text(value: datetime | None) -> str:
    """In the zone of the site; empty for None."""
    return moment(value and timezone.localtime(value))
