"""The report as text for a terminal: figures first, verdict last."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from metrics.analysis.patience import patience_words
from metrics.definitions import find
from metrics.earlier_names import TRUNCATED
from metrics.number_format import BAD, GOOD, QUIET, TITLE, counted, duration, load_s_of, number, share
from metrics.report.advice import advice
from metrics.report.answer_words import answer_words
from metrics.report.bound_words import bounds_note, stat_cells, threshold_words
from metrics.report.change_words import change_lines
from metrics.report.curve_text import curve_parts
from metrics.report.group_text import group_parts
from metrics.report.spending_words import budget_words, cost_words
from metrics.report.verdict_words import NOTES_HEAD, verdict_words
from plain_text.console import PlainConsole
from plain_text.visible import visible_tree

Report = Mapping[str, Any]
SHOWN = ("mean", "p50", "p95", "p99", "max", "count")
FORMULA_FROM_WIDTH = 112
ERRORS_SHOWN = 12
VERDICT_STYLES = {"good": f"bold {GOOD}", "short": TITLE, "bad": BAD}


def report_text(report: Report, width: int = 100, *, color: bool = False) -> str:
    """The report in lines of at most `width` columns; `color` adds ANSI sequences."""
    file = io.StringIO()
    console = PlainConsole(
        file=file, width=max(width, 60), force_terminal=color, color_system="standard" if color else None
    )
    console.print(report_renderable(report, console.width))
    lines = file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines)


def report_renderable(report: Report, width: int = 100) -> Group:
    """The same for a rich console. What a target or a file said is harmless in it."""
    return Group(*_parts(visible_tree(report), width))


def _parts(report: Report, width: int) -> Iterator[RenderableType]:
    yield from _summary(report)
    yield _metrics(report, width)
    if report["errors"]:
        yield Text("\nerrors", style=TITLE)
        yield _errors(report)
    if report["thresholds"]:
        yield Text("\nthresholds", style=TITLE)
        yield _thresholds(report)
    yield from group_parts(report, width)
    yield from curve_parts(report, width)
    yield Text()
    yield from _verdict(report)


def _summary(report: Report) -> Iterator[Text]:
    run, turns, sessions, rates = report["run"], report["turns"], report["sessions"], report["rates"]
    yield Text.assemble((f"Run {run['id']} {run['status']}", TITLE), f"  {run['target']}, {run['scenario']}")
    if run.get("reason"):
        yield Text(f"  {run['reason']}", style=BAD if run["status"] in {"failed", "aborted"} else "")
    for place, line in enumerate(change_lines(report)):
        yield Text(f"  {'' if place else 'load':10}{line}")
    failed = f" ({share(rates['error_rate'])} failed)" if rates["error_rate"] else ""
    outcomes = _counted(turns, ("ok",), ("error", "timeout", "aborted", "unknown"))
    yield Text(f"  turns     {outcomes}{failed} in {duration(load_s_of(run))}")
    yield Text(f"  sessions  {_counted(sessions, ('started',), ('completed', 'failed', TRUNCATED, 'lost'))}")
    if kinds := answer_words(report):
        yield Text(f"  answers   {kinds}")
    yield Text(f"  speed     {_speeds(report)}")
    if report["tokens"]["source"] != "none":
        yield Text(f"  tokens    {_tokens(report)}")
    if report["traffic"]["bytes_in_per_s"]:
        yield Text(f"  traffic   {_traffic(report['traffic'])}")
    if len(models := report.get("models") or ()) > 1:
        asked = [f"{part['model']} ({number(part['sessions']['started'])})" for part in models]
        yield Text(f"  models    {', '.join(asked)}")
    if report.get("patience"):
        yield Text(f"  patience  {patience_words(report['patience'])}")
    if used := budget_words(report.get("budget")):
        yield Text(f"  budget    {used}")
    if cost := cost_words(report.get("cost")):
        yield Text(f"  cost      {cost}")
    if len(found := report["generator"].get("connections") or {}) > 1:
        shares = ", ".join(f"{address} {number(count)}" for address, count in found.items())
        yield Text(f"  addresses {shares} {'connection' if sum(found.values()) == 1 else 'connections'}")
    if report.get("witness"):
        yield Text(f"  witness   {witness_words(report)}")
    yield from _left_out(report)


def _left_out(report: Report) -> Iterator[Text]:
    """Excluded turns, dropped arrivals and unsolicited messages."""
    if excluded := report.get("excluded_turns"):
        yield Text(f"  besides   {counted(excluded, 'turn')} of the warm-up and cool-down, in no figure here")
    if report["dropped_arrivals"]:
        yield Text(
            f"  dropped   {counted(report['dropped_arrivals'], 'arrival was', 'arrivals were')} due and not started",
            style=BAD,
        )
    if report.get("unsolicited"):
        yield Text(
            f"  unasked   at least {counted(report['unsolicited'], 'message')} came that no question asked for",
            style=BAD,
        )


def witness_words(report: Report) -> str:
    """What the independent session measured, beside ours; its turns are in no other figure. Empty without one."""
    witness = report.get("witness")
    if not witness:
        return ""
    said = f"{counted(witness['turns']['sent'], 'turn')} of its own"
    for name in ("ttft_ms", "e2e_ms"):
        theirs, ours = witness["metrics"][name]["p50"], report["metrics"][name]["p50"]
        if theirs is not None and ours is not None:
            said += f", {name} p50 {number(theirs)} (ours {number(ours)})"
    return said


def _tokens(report: Report) -> str:
    tokens, rates = report["tokens"], report["rates"]
    sides = []
    for name, way in (("input", "in"), ("output", "out")):
        source = tokens.get(f"{name}_source", tokens["source"])
        label = {"estimate": " (estimated)", "mixed": " (partly estimated)"}.get(source, "")
        sides.append(f"{number(tokens[name])} {way}{label}")
    if tokens.get("reasoning"):
        sides[-1] += f" ({number(tokens['reasoning'])} of them reasoning)"
    return f"{number(tokens['total'])}: {', '.join(sides)}, {number(rates['tokens_per_s'])} tokens/s"


def _traffic(traffic: Mapping[str, Any]) -> str:
    ways = ((way, traffic[f"bytes_{way}"], traffic[f"bytes_{way}_per_s"]) for way in ("in", "out"))
    return ", ".join(f"{number(total / 1e6)} MB {way} ({number(rate / 1000)} kB/s)" for way, total, rate in ways)


def _counted(counts: Mapping[str, int], always: Sequence[str], if_any: Sequence[str]) -> str:
    words = [*always, *(word for word in if_any if counts.get(word))]
    return ", ".join(f"{number(counts[word])} {word}" for word in words)


def _speeds(report: Report) -> str:
    rates, source = report["rates"], report["tokens"]["source"]
    completed = rates["completed_sessions_per_min"]
    speeds = [f"{number(rates['turns_per_s'])} turns/s", f"{number(completed)} sessions/min"]
    made = report["tokens"].get("output_source", source)  # reports of earlier versions have one source for both sides
    if made != "none":
        label = {"estimate": " (estimated: 4 characters a token)", "mixed": " (partly estimated)"}.get(made, "")
        speeds.append(f"{number(rates['output_tokens_per_s'])} output tokens/s{label}")
    return ", ".join(speeds)


def _metrics(report: Report, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("metric", no_wrap=True)
    for stat in SHOWN:
        table.add_column(stat, justify="right", no_wrap=True, min_width=7)
    formulas = width >= FORMULA_FROM_WIDTH
    if formulas:
        table.add_column("formula", style=QUIET, overflow="ellipsis", no_wrap=True)
    for name, values in report["metrics"].items():
        if values["count"]:
            metric = find(name)
            cells = stat_cells(values, SHOWN)
            formula = [metric.formula if metric else ""] if formulas else []
            table.add_row(name, *cells, *formula)
    note = bounds_note(report["metrics"])
    table.caption = "\n".join(
        ["_ms: milliseconds. Latencies exclude failed turns. Formulas: docs/metrics.md", *([note] if note else [])]
    )
    table.caption_justify = "left"
    return table


def _errors(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True, style="red")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style=QUIET)
    errors = list(report["errors"].items())
    for code, count in errors[:ERRORS_SHOWN]:
        table.add_row(Text(code), number(count), Text(advice(code)))
    if len(errors) > ERRORS_SHOWN:
        rest = errors[ERRORS_SHOWN:]
        table.add_row(f"{len(rest)} more codes", number(sum(count for _, count in rest)), "")
    return table


def _thresholds(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    for result in report["thresholds"]:
        words = threshold_words(result)
        table.add_row(Text(words.result, GOOD if result["passed"] else BAD), Text(result["expr"]), words.value)
    return table


def _remarks(texts: Sequence[str]) -> Iterator[RenderableType]:
    for text in texts:
        yield Padding(Text(f"- {text}"), (0, 0, 0, 2))


def _verdict(report: Report) -> Iterator[RenderableType]:
    verdict, generator = report["verdict"], report["generator"]
    words = verdict_words(verdict)
    head = words.head[0].lower() + words.head[1:]
    yield Text.assemble((head, VERDICT_STYLES[words.tone]), f": {words.sentence[0].lower()}{words.sentence[1:]}")
    yield from _remarks(words.reasons)
    if words.notes:
        yield Text(NOTES_HEAD)
        yield from _remarks(words.notes)
    lag, loop = generator["send_lag_ms"], generator["loop_lag_ms"]
    stamps = {"kernel": "kernel timestamps", "user": "timestamps after the read"}.get(generator["timestamps"] or "", "")
    facts = [
        f"{generator['processes']} process{'' if generator['processes'] == 1 else 'es'}",
        f"{number(generator['cpu_s'])} s CPU",
        f"{number(generator['cpu_us_per_turn'])} us/turn",
        f"send lag p99 {number(lag['p99'])} ms",
        f"loop lag p99 {number(loop['p99'])} ms",
        f"{number(generator['rss_mb'])} MB",
        *([stamps] if stamps else []),
    ]
    yield Text(f"generator: {', '.join(facts)}", style=QUIET)
