"""Line charts as inline SVG, drawn without a library: they must live in a file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 22
STEPS = 4

Values = Sequence[float | None]


def chart(title: str, at_s: Sequence[float], lines: Sequence[tuple[str, Values]]) -> str:
    """One path per line over seconds; None leaves a gap. Classes s0, s1 .. take their colours from the page."""
    known = [value for _, values in lines for value in values if value is not None]
    if not known:
        return '<p class="quiet">Nothing was measured.</p>'
    top = nice_ceiling(max(known))
    last = max(at_s[-1], 1)
    paths = "".join(f'<path class="s{i}" d="{_path(at_s, values, last, top)}"/>' for i, (_, values) in enumerate(lines))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{_grid(top)}{_times(last)}{paths}</svg>"
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


def _times(last: float) -> str:
    marks = ((0.0, "start", "0 s"), (last / 2, "middle", f"{last / 2:g} s"), (last, "end", f"{last:g} s"))
    return "".join(
        f'<text x="{_x(at, last):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>'
        for at, anchor, text in marks
    )
