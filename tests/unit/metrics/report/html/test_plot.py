from __future__ import annotations

import pytest

from metrics.report.charts import OVER_TIME, Chart, Line
from metrics.report.html.plot import HEIGHT, TOP, Mark, nice_ceiling, over_load, over_time

ONE = Chart("one", "One line", (Line("a", "good"),))


def test_names_of_many_marks_stay_in_the_chart() -> None:
    drawn = over_time(ONE, [[0, 9], [1.0, 2.0]], [Mark(at, "x") for at in range(9)])
    assert len({mark.name.y for mark in drawn.marks[:3]}) == 3, "neighbours stand apart"
    assert all(TOP < mark.name.y < 60 for mark in drawn.marks)


def test_a_mark_stands_at_its_place_on_the_axis_and_its_name_on_the_side_with_room() -> None:
    drawn = over_load(ONE, [[10, 20, 40], [1.0, 2.0, 4.0]], "users", [Mark(10, "low"), Mark(40, "high")])
    xs = [x for x, _ in drawn.strokes[0].dots]
    assert [mark.x for mark in drawn.marks] == [xs[0], xs[2]]
    assert xs[2] - xs[1] == pytest.approx(2 * (xs[1] - xs[0]), abs=0.2)
    assert [mark.name.anchor for mark in drawn.marks] == ["start", "end"]
    assert [text.text for text in drawn.axis] == ["0", "20", "40 users"]
    assert drawn.title == "One line over users"


def test_a_chart_leaves_gaps_where_nothing_was_measured() -> None:
    (stroke,) = over_time(ONE, [[0, 1, 2, 3], [1.0, None, 2.0, 4.0]]).strokes
    assert (stroke.path.count("M"), stroke.path.count("L")) == (2, 1)
    assert over_time(ONE, [[], []]).strokes == []
    assert over_time(ONE, [[0, 1], [None, None]]).strokes == []


def test_higher_values_stand_higher_and_all_inside() -> None:
    (stroke,) = over_load(ONE, [[1, 2, 3], [0.0, 2.0, 4.0]], "users").strokes
    ys = [y for _, y in stroke.dots]
    assert ys == sorted(ys, reverse=True)
    assert TOP <= ys[-1] < ys[0] < HEIGHT


@pytest.mark.parametrize("last", [0, 0.5, 1, 2, 59, 60, 7200])
def test_the_marks_of_a_time_axis_differ_however_short_the_run(last: float) -> None:
    axis = [text.text for text in over_time(OVER_TIME[1], [[0, last], [1, 1]]).axis]
    assert len(set(axis)) == 3, axis


def test_fewer_columns_than_lines_are_drawn_as_they_come() -> None:
    ttft = next(chart for chart in OVER_TIME if chart.name == "ttft")
    drawn = over_time(ttft, [[0, 1], [1.0, 2.0], [3.0, 4.0]])
    assert [(stroke.label, stroke.tone) for stroke in drawn.strokes] == [("p50", "good"), ("p95", "accent")]


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.03, 0.04), (0.9, 1), (1, 1), (3, 4), (41, 50), (85, 100), (1600, 2000), (9999, 10000)]
)
def test_an_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice_ceiling(value) == pytest.approx(top)
