"""Where the parts of a chart stand in the file: paths, dots, grid and marks, for the macro in templates/plot.html.

The file is mailed around and opened years later, from a disk, without a network and often in a viewer that runs no
script. So its charts are SVG that is ready when it is written, and its policy forbids scripts altogether. A library in
the file would be larger than all figures in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from metrics.number_format import elapsed, exact
from metrics.report.charts import Chart, Values

WIDTH, HEIGHT = 520, 190
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 8, 22
STEPS: Final = 4
MARK_ROWS: Final = 3
_ROUND: Final = (0.1, 0.2, 0.4, 0.5, 0.8, 1, 2, 4, 5, 8)


class Mark(NamedTuple):
    """A place on the axis that has a name."""

    at: float
    name: str


class Text(NamedTuple):
    """`anchor`: start, middle or end of the text is at `x`."""

    x: float
    y: float
    anchor: str
    text: str


class Stroke(NamedTuple):
    """A line of the chart: its name and colour, its path, and the dots on it."""

    label: str
    tone: str
    path: str
    dots: list[tuple[float, float]]


class MarkLine(NamedTuple):
    x: float
    name: Text


class Plot(NamedTuple):
    """A chart ready to be drawn. No strokes: nothing was measured."""

    title: str
    strokes: list[Stroke]
    grid: list[Text]
    axis: list[Text]
    marks: list[MarkLine]


class _Scale(NamedTuple):
    last: float
    top: float

    def x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at / self.last, 1)

    def y(self, value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / self.top), 1)


def over_time(chart: Chart, columns: Sequence[Values], marks: Sequence[Mark] = ()) -> Plot:
    """`columns`: the seconds, then the values of each line; None leaves a gap."""
    last = max([1.0, *_known(columns[:1])])
    return _plot(chart, columns, last, elapsed, marks, dots=False)


def over_load(chart: Chart, columns: Sequence[Values], unit: str, marks: Sequence[Mark] = ()) -> Plot:
    """`columns`: the levels of the load, then the values of each line, with a dot for each level."""
    last = max(_known(columns[:1]), default=1.0)
    plot = _plot(chart, columns, last, exact, marks, dots=True)
    *others, end = plot.axis
    named = end._replace(text=f"{end.text} {unit}")
    return plot._replace(title=f"{chart.title} over {unit}", axis=[*others, named])


def _plot(
    chart: Chart,
    columns: Sequence[Values],
    last: float,
    words: Callable[[float], str],
    marks: Sequence[Mark],
    *,
    dots: bool,
) -> Plot:
    at, *values = columns
    known = list(_known(values))
    scale = _Scale(last, nice_ceiling(max(known, default=0.0)))
    strokes = [
        Stroke(line.label, line.tone, _path(at, column, scale), [*_dots(at, column, scale)] if dots else [])
        for line, column in zip(chart.lines, values, strict=False)
    ]
    places = ((0.0, "start"), (last / 2, "middle"), (last, "end"))
    axis = [Text(scale.x(x), HEIGHT - 6, anchor, words(x)) for x, anchor in places]
    named = [_mark(mark, number, scale) for number, mark in enumerate(marks)]
    return Plot(chart.title, strokes if known else [], [*_grid(scale)], axis, named)


def _known(columns: Sequence[Values]) -> Iterator[float]:
    return (value for column in columns for value in column if value is not None)


def _dots(at: Values, values: Values, scale: _Scale) -> Iterator[tuple[float, float]]:
    for x, value in zip(at, values, strict=True):
        if x is not None and value is not None:
            yield scale.x(x), scale.y(value)


def _path(at: Values, values: Values, scale: _Scale) -> str:
    """A lone point between gaps becomes a short stroke, or it would not be seen."""
    drawn: list[str] = []
    pen_down = False
    for x, value in zip(at, values, strict=True):
        if x is None or value is None:
            pen_down = False
            continue
        place = f"{scale.x(x)} {scale.y(value)}"
        drawn.append(f"L{place}" if pen_down else f"M{place}h1")
        pen_down = True
    return "".join(drawn)


def _grid(scale: _Scale) -> Iterator[Text]:
    for step in range(STEPS + 1):
        value = scale.top * step / STEPS
        yield Text(LEFT - 6, scale.y(value), "end", exact(value))


def _mark(mark: Mark, number: int, scale: _Scale) -> MarkLine:
    """Its name stands beside the line, on the side that has room; names of neighbours stand apart."""
    x, y = scale.x(mark.at), TOP + 10 + 13 * (number % MARK_ROWS)
    side, anchor = (-4, "end") if mark.at > scale.last / 2 else (4, "start")
    return MarkLine(x, Text(round(x + side, 1), y, anchor, mark.name))


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 4, 5 or 8 times a power of ten that is not below `value`; 1 for zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    while power / 10 >= value:
        power /= 10
    return next((power * step for step in _ROUND if power * step >= value), power * 10)
