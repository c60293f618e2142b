"""Line charts as inline SVG, drawn without a library: they must live in a file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 22
STEPS = 4
MARK_ROWS = 3

Values = Sequence[float | None]


class Mark(NamedTuple):
    """A place on the axis that has a name."""

    at: float
    name: str


def chart(
    title: str,
    at: Sequence[float],
    lines: Sequence[tuple[str, Values]],
    unit: str = "s",
    marks: Sequence[Mark] = (),
) -> str:
    """One path per line over seconds, or over what `unit` says, with dots where there are marks; None leaves a gap.
    Classes s0, s1 .. take their colours from the page."""
    known = [value for _, values in lines for value in values if value is not None]
    if not known:
        return '<p class="quiet">Nothing was measured.</p>'
    top = nice_ceiling(max(known))
    last = max(at[-1], 1) if unit == "s" else at[-1]
    paths = "".join(f'<path class="s{i}" d="{_path(at, values, last, top)}"/>' for i, (_, values) in enumerate(lines))
    dots = "".join(_dots(i, at, values, last, top) for i, (_, values) in enumerate(lines)) if unit != "s" else ""
    named = "".join(_mark(mark, number, last) for number, mark in enumerate(marks))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{_grid(top)}{_times(last, unit)}{named}{paths}{dots}</svg>"
    )


def _dots(number: int, at: Sequence[float], values: Values, last: float, top: float) -> str:
    places = ((x, value) for x, value in zip(at, values, strict=True) if value is not None)
    return "".join(
        f'<circle class="d{number}" cx="{_x(x, last):.1f}" cy="{_y(value, top):.1f}" r="2.5"/>' for x, value in places
    )


def _mark(mark: Mark, number: int, last: float) -> str:
    """A line from top to bottom, and its name beside it, on the side that has room; names of neighbours stand apart."""
    x, y = _x(mark.at, last), TOP + 10 + 13 * (number % MARK_ROWS)
    side, anchor = (-4, "end") if mark.at > last / 2 else (4, "start")
    return (
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="mark" x="{x + side:.1f}" y="{y}" text-anchor="{anchor}">{escape(mark.name)}</text>'
    )


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 4, 5 or 8 times a power of ten that is not below `value`; 1 for zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    while power / 10 >= value:
        power /= 10
    return next(
        (power * step for step in (0.1, 0.2, 0.4, 0.5, 0.8, 1, 2, 4, 5, 8) if power * step >= value), power * 10
    )


def _x(at: float, last: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / last


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _path(at_s: Sequence[float], values: Values, last: float, top: float) -> str:
    """A lone point between gaps becomes a short stroke, or it would not be seen."""
    drawn: list[str] = []
    pen_down = False
    for at, value in zip(at_s, values, strict=True):
        if value is None:
            pen_down = False
            continue
        x, y = _x(at, last), _y(value, top)
        drawn.append(f"L{x:.1f} {y:.1f}" if pen_down else f"M{x:.1f} {y:.1f}h1")
        pen_down = True
    return "".join(drawn)


def _grid(top: float) -> str:
    parts = []
    for step in range(STEPS + 1):
        value = top * step / STEPS
        y = _y(value, top)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.4g}</text>')
    return "".join(parts)


def _times(last: float, unit: str) -> str:
    short = " s" if unit == "s" else ""
    marks = (
        (0.0, "start", f"0{short}"),
        (last / 2, "middle", f"{last / 2:g}{short}"),
        (last, "end", f"{last:g} {unit}"),
    )
    return "".join(
        f'<text x="{_x(at, last):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>'
        for at, anchor, text in marks
    )
