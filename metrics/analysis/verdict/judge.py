"""Decides whether a run's figures can be trusted, and gives reasons with stable codes. Pure.

A reason is something that may have made the figures wrong; a note only says how to read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from metrics.analysis.load_time import counted_end_s
from metrics.analysis.silence import silence_at_end
from metrics.analysis.thresholds import Threshold
from metrics.analysis.totals import Aggregate
from metrics.analysis.verdict.answers import (
    NO_OTHERS,
    OthersAnswers,
    cut_off,
    pauses,
    shifted_answers,
    stopped_answering,
)
from metrics.analysis.verdict.codes import Remark
from metrics.analysis.verdict.comparison import Witness, slower_later, witness_disagrees
from metrics.analysis.verdict.generator import of_generator
from metrics.analysis.verdict.notes import NO_WITNESS, notes, other_versions, through_proxy
from metrics.analysis.verdict.records import few_samples, incomplete_records, missing_load
from metrics.groups import Group
from metrics.report_schema import DriftPart


@dataclass(frozen=True)
class Verdict:
    reasons: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = field(default=())

    @property
    def trusted(self) -> bool:
        return not self.reasons


def judge(  # noqa: PLR0913 - each is a source of reasons
    aggregate: Aggregate,
    thresholds: Sequence[Threshold] = (),
    witness: Witness | None = None,
    *,
    groups: Sequence[Group] = (),
    drift: Mapping[str, DriftPart] | None = None,
    finished: bool = True,
    shards: Sequence[Mapping[str, Any]] = (),
    load: Mapping[str, Any] | None = None,
    others: OthersAnswers = NO_OTHERS,
    version: str = "",
    proxy: str = "",
    lacks_witness: bool = False,
) -> Verdict:
    """`shards` are the report's rows of the same name and `load` what was asked of all of them: without these, an
    engine that never said anything is not missed. `finished` is False for a run under way, of which no end can be
    asked yet. `groups` are the run's, `drift` that of a run with a load that stayed the same. `others` is the
    witness's. `proxy` is the address of the one that the run went through. `lacks_witness`: one was to go along, and
    nothing is known of it."""
    asked = load or {}
    reasons = [*few_samples(aggregate, thresholds, groups), *of_generator(aggregate)]
    reasons += shifted_answers(aggregate, others)
    remarks = [*notes(aggregate), *other_versions(version, shards)]
    if finished:
        silence = silence_at_end(aggregate, counted_end_s(aggregate, asked))
        reasons += [*stopped_answering(aggregate, asked, silence), *cut_off(aggregate, silence, many=True)]
        reasons += [*missing_load(aggregate, shards, asked), *incomplete_records(aggregate)]
        remarks += [*cut_off(aggregate, silence, many=False), *pauses(aggregate, asked)]
    if witness is not None:
        reasons += witness_disagrees(witness)
    remarks += [*slower_later(drift), *through_proxy(proxy)]
    if lacks_witness and finished and aggregate.duration_s:
        remarks.append(NO_WITNESS)
    return Verdict(tuple(reasons), tuple(remarks))
