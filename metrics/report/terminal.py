"""The report as text for a terminal: figures first, verdict last."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from metrics.analysis.patience import patience_words
from metrics.analysis.spending import source_of
from metrics.columns import OUTCOMES
from metrics.definitions import find
from metrics.number_format import BAD, GOOD, QUIET, TITLE, counted, duration, load_s_of, number, share
from metrics.report.advice import advice, error_rows
from metrics.report.answer_words import answer_words
from metrics.report.bound_words import bounds_note, stat_cells, threshold_words
from metrics.report.change_words import change_lines
from metrics.report.curve_text import curve_parts
from metrics.report.group_text import group_parts
from metrics.report.spending_words import budget_words, cost_words
from metrics.report.verdict_words import NOTES_HEAD, verdict_words
from metrics.report_schema import RunReport, SessionWord, Side, Stat, Traffic
from plain_text.console import PlainConsole
from plain_text.visible import visible_tree

SESSION_WORDS: Final[tuple[SessionWord, ...]] = ("started", "completed", "failed", "truncated", "lost")
SIDES: Final[tuple[tuple[Side, str], ...]] = (("input", "in"), ("output", "out"))
SHOWN: Final[tuple[Stat, ...]] = ("mean", "p50", "p95", "p99", "max", "count")
FORMULA_FROM_WIDTH = 112
ERRORS_SHOWN = 12
VERDICT_STYLES = {"good": f"bold {GOOD}", "short": TITLE, "bad": BAD}


def report_text(report: RunReport, width: int = 100, *, color: bool = False) -> str:
    """The report in lines of at most `width` columns; `color` adds ANSI sequences."""
    file = io.StringIO()
    console = PlainConsole(
        file=file, width=max(width, 60), force_terminal=color, color_system="standard" if color else None
    )
    console.print(report_renderable(report, console.width))
    lines = file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines)


def report_renderable(report: RunReport, width: int = 100) -> Group:
    """The same for a rich console. What a target or a file said is harmless in it."""
    return Group(*_parts(visible_tree(report), width))


def _parts(report: RunReport, width: int) -> Iterator[RenderableType]:
    yield from _summary(report)
    yield _metrics(report, width)
    if error_rows(report):
        yield Text("\nerrors", style=TITLE)
        yield _errors(report)
    if report["thresholds"]:
        yield Text("\nthresholds", style=TITLE)
        yield _thresholds(report)
    yield from group_parts(report, width)
    yield from curve_parts(report, width)
    yield Text()
    yield from _verdict(report)


def _summary(report: RunReport) -> Iterator[Text]:
    run, turns, sessions, rates = report["run"], report["turns"], report["sessions"], report["rates"]
    yield Text.assemble((f"Run {run['id']} {run['status']}", TITLE), f"  {run['target']}, {run['scenario']}")
    if run.get("reason"):
        yield Text(f"  {run['reason']}", style=BAD if run["status"] in {"failed", "aborted"} else "")
    for place, line in enumerate(change_lines(report)):
        yield Text(f"  {'' if place else 'load':10}{line}")
    failed = f" ({share(rates['error_rate'])} failed)" if rates["error_rate"] else ""
    outcomes = _counted(*((word, turns.get(word, 0)) for word in OUTCOMES))
    yield Text(f"  turns     {outcomes}{failed} in {duration(load_s_of(run))}")
    yield Text(f"  sessions  {_counted(*((word, sessions.get(word, 0)) for word in SESSION_WORDS))}")
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
    if patience := report.get("patience"):
        yield Text(f"  patience  {patience_words(patience)}")
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


def _left_out(report: RunReport) -> Iterator[Text]:
    """Excluded turns, dropped arrivals and unsolicited messages."""
    if excluded := report.get("excluded_turns"):
        yield Text(f"  besides   {counted(excluded, 'turn')} of the warm-up and cool-down, in no figure here")
    if report["dropped_arrivals"]:
        yield Text(
            f"  dropped   {counted(report['dropped_arrivals'], 'arrival was', 'arrivals were')} due and not started",
            style=BAD,
        )
    if failed := report.get("goodbye_errors"):
        codes = ", ".join(f"{code} {number:,}" for code, number in failed.items())
        many = counted(sum(failed.values()), "conversation")
        yield Text(f"  goodbye   {many} whose last request failed: {codes}", style=BAD)
    if report.get("unsolicited"):
        yield Text(
            f"  unasked   at least {counted(report['unsolicited'], 'message')} came that no question asked for",
            style=BAD,
        )


def witness_words(report: RunReport) -> str:
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


def _tokens(report: RunReport) -> str:
    tokens, rates = report["tokens"], report["rates"]
    sides = []
    for name, way in SIDES:
        label = {"estimate": " (estimated)", "mixed": " (partly estimated)"}.get(source_of(tokens, name), "")
        sides.append(f"{number(tokens[name])} {way}{label}")
    if tokens.get("reasoning"):
        sides[-1] += f" ({number(tokens['reasoning'])} of them reasoning)"
    return f"{number(tokens['total'])}: {', '.join(sides)}, {number(rates['tokens_per_s'])} tokens/s"


def _traffic(traffic: Traffic) -> str:
    ways = (
        ("in", traffic["bytes_in"], traffic["bytes_in_per_s"]),
        ("out", traffic["bytes_out"], traffic["bytes_out_per_s"]),
    )
    return ", ".join(
        f"{number(total / 1e6)} MB {way} ({number(rate / 1000 if rate else rate)} kB/s)" for way, total, rate in ways
    )


def _counted(first: tuple[str, int], *others: tuple[str, int]) -> str:
    """The first always, of the others those that are not 0."""
    shown = [first, *(other for other in others if other[1])]
    return ", ".join(f"{number(count)} {word}" for word, count in shown)


def _speeds(report: RunReport) -> str:
    rates, tokens = report["rates"], report["tokens"]
    completed = rates["completed_sessions_per_min"]
    speeds = [f"{number(rates['turns_per_s'])} turns/s", f"{number(completed)} sessions/min"]
    made = source_of(tokens, "output")
    if made != "none":
        label = {"estimate": " (estimated: 4 characters a token)", "mixed": " (partly estimated)"}.get(made, "")
        of_ok = "" if tokens.get("output_ok") in {None, tokens["output"]} else " of ok turns"
        speeds.append(f"{number(rates['output_tokens_per_s'])} output tokens/s{of_ok}{label}")
    return ", ".join(speeds)


def _metrics(report: RunReport, width: int) -> Table:
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


def _errors(report: RunReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    table.add_column(no_wrap=True, style="red")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style=QUIET)
    errors = error_rows(report)
    for code, turns, sessions in errors[:ERRORS_SHOWN]:
        table.add_row(Text(code), _error_count(turns, sessions), Text(advice(code)))
    if len(errors) > ERRORS_SHOWN:
        rest = errors[ERRORS_SHOWN:]
        count = _error_count(sum(row.turns for row in rest), sum(row.sessions for row in rest))
        table.add_row(f"{len(rest)} more codes", count, "")
    return table


def _error_count(turns: int, sessions: int) -> str:
    return number(turns) if turns else counted(sessions, "session")


def _thresholds(report: RunReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    for result in report["thresholds"]:
        words = threshold_words(result)
        table.add_row(Text(words.result, GOOD if result["passed"] else BAD), Text(result["expr"]), words.value)
    return table


def _remarks(texts: Sequence[str]) -> Iterator[RenderableType]:
    for text in texts:
        yield Padding(Text(f"- {text}"), (0, 0, 0, 2))


def _verdict(report: RunReport) -> Iterator[RenderableType]:
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
