"""Which timeline a target gets: one that can do what its answers need, and no more."""

from __future__ import annotations

from itertools import product

import pytest

from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import ResponseSpec
from connectors.timeline.kinds import timeline_class
from connectors.timeline.named import NamedTimeline
from connectors.timeline.quiet import QuietTimeline
from connectors.timeline.replies import ReplyTimeline


@pytest.mark.parametrize(("named", "by_id", "quiet_ms"), list(product([False, True], [False, True], [None, 0.0, 1.5])))
def test_a_timeline_reads_names_ids_and_quiet_if_the_target_needs_it(
    named: bool, by_id: bool, quiet_ms: float | None
) -> None:
    spec = ResponseSpec.model_validate({"delta": "t", "done": {"data": "[DONE]"}})
    line = timeline_class(named=named, by_id=by_id, quiet_ms=quiet_ms)(ResponseMapping(spec), planned_ns=0)
    kinds = (NamedTimeline, ReplyTimeline, QuietTimeline)
    assert [isinstance(line, kind) for kind in kinds] == [named, by_id, quiet_ms is not None]
    if isinstance(line, QuietTimeline) and quiet_ms is not None:
        assert line.quiet_ns == quiet_ms * 1e6
