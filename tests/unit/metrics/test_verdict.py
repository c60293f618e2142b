from __future__ import annotations

from typing import Any

import pytest

from metrics.coverage import LEDGER_TAKEN
from metrics.ingest import parse
from metrics.thresholds import parse_threshold
from metrics.totals import merge
from metrics.verdict import NOTES, REASONS, OthersAnswers, Verdict, Witness, judge, start_error_ns
from tests.support.ledgers import encoded
from tests.unit.metrics.made import MS, aggregate, batch, failed, generator, head, tail, turn

GOOD = [turn(number, planned=109 * MS) for number in range(100)]
SECOND_ENGINE = b"".join(map(encoded, [head() | {"late_ns": 0, "clock_error_ns": 0}, tail(0)]))
QUICK = [generator(0, 0, lag=[100] * 200)]
CALM = [generator(second, second * 200) for second in range(1, 6)]


def verdict(*lines: dict[str, Any], turns: int = 100, **options: Any) -> Verdict:
    return judge(aggregate(head(), *CALM, *lines, tail(turns)), **options)


def codes(found: Verdict) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_a_calm_run_with_enough_turns_is_trusted() -> None:
    found = verdict(*GOOD)
    assert found.trusted
    assert found == Verdict()


CASES: list[tuple[str, list[dict[str, Any]], int]] = [
    ("no_ok_turns", [failed(n) for n in range(100)], 100),
    ("few_samples", GOOD[:99], 99),
    ("send_lag", [turn(n, planned=89 * MS) for n in range(100)], 100),
    ("loop_lag", [*GOOD, generator(6, 1200, lag=[101_000])], 100),
    ("engine_stalled", [*GOOD, *QUICK, generator(6, 1200, lag=[1_000_000])], 100),
    ("cpu_saturated", [*GOOD, *(generator(s, 1000 + (s - 5) * 950) for s in range(6, 13))], 100),
    ("arrivals_dropped", [*GOOD, generator(6, 1200, dropped=1)], 100),
    ("turns_unknown", [*GOOD, failed(100, "unknown", "engine_died", done=None)], 101),
    ("load_missing", [*GOOD, head() | {"late_ns": 1_001 * MS}], 100),
    ("ledger_incomplete", GOOD, 101),
    ("ledger_damaged", [*GOOD, {"k": "nonsense"}], 100),
]


@pytest.mark.parametrize(("code", "lines", "turns"), CASES, ids=[case[0] for case in CASES])
def test_each_reason_has_its_cause(code: str, lines: list[dict[str, Any]], turns: int) -> None:
    found = verdict(*lines, turns=turns)
    assert codes(found) == [code]
    assert not found.trusted


@pytest.mark.parametrize(
    "lines",
    [
        [turn(n, planned=91 * MS) for n in range(100)],
        [turn(n, planned=70 * MS, done=1110 * MS) for n in range(100)],
        [*GOOD, generator(6, 1200, lag=[99_000])],
        [*GOOD, *(generator(s, 1000 + (s - 5) * 950) for s in range(6, 8))],
    ],
    ids=["19 ms late", "40 ms late in turns of a second", "loop 99 ms late", "busy for a moment"],
)
def test_what_changes_no_conclusion_costs_no_trust(lines: list[dict[str, Any]]) -> None:
    assert verdict(*lines).trusted


def test_a_proxy_is_said_and_costs_no_trust() -> None:
    found = verdict(*GOOD, proxy="http://proxy:3128")
    assert found.trusted and "http://proxy:3128" in found.notes[-1].text
    assert [note.code for note in found.notes][-1:] == ["through_proxy"]
    assert "through_proxy" not in [note.code for note in verdict(*GOOD).notes]


def test_a_dead_engine_is_a_reason_but_not_while_the_run_goes_on() -> None:
    running = aggregate(head(), *CALM, *GOOD)
    assert judge(running, finished=False).trusted
    assert codes(judge(running)) == ["engine_died"]
    assert codes(judge(aggregate(head(), *CALM, *GOOD, tail(100, "engine_died")))) == ["engine_died"]


DURING = {"kind": "closed", "users": 3, "duration_s": 9.0}


def share(end: str | None, index: int = 0, status: str = "done", at_s: float | None = 9.0) -> dict[str, Any]:
    return {"index": index, "status": status, "reason": "it broke", "end": end, "at_s": at_s}


@pytest.mark.parametrize(
    "end",
    [
        "done", "budget: tokens: 600 of 500", "stopped", "stopped: by ann", "stopped: threshold: e2e_ms.p95<1: 5",
        "aborted: connect_refused: nobody listens",
    ],
)  # fmt: skip
def test_a_load_that_ends_in_one_of_its_own_ways_is_whole(end: str) -> None:
    assert verdict(*GOOD, shards=[share(end)], load=DURING).trusted


@pytest.mark.parametrize(
    ("shard", "code", "says"),
    [
        (share("supervisor_gone", at_s=3.0), "load_missing", "engine 1 ended early after 3.0 s: its supervisor died"),
        (share("supervisor_silent"), "load_missing", "was paused"),
        (share("lease_lost: not renewed for 27 s"), "load_missing", "lost the shard's lease (not renewed for 27 s)"),
        (share("stopped: its worker was shut down"), "load_missing", "its worker was shut down"),
        (share("stopped: its supervisor lost the lease"), "load_missing", "lost the lease"),
        (share("aborted: engine_error: KeyError()"), "load_missing", "engine_error"),
        (share("aborted: ledger_failed: no space"), "load_missing", "no space"),
        (share("what nobody has thought of"), "load_missing", "what nobody has thought of"),
        (share("done", at_s=4.0), "load_missing", "ended after 4.0 of 9 s"),
        (share("engine_died"), "engine_died", "it died"),
        (share(None, status="lost", at_s=None), "engine_died", "did not reach its end: it broke"),
        (share(None, status="failed", at_s=None), "engine_died", "did not reach its end: it broke"),
        (
            share(None, status="lost", at_s=None) | {"reason": f"{LEDGER_TAKEN}: /x.jsonl is gone, and more"},
            "load_missing",
            "the ledger of engine 1 was taken away while it was written: /x.jsonl is gone, and more. Its load",
        ),
    ],
)
def test_every_other_end_of_a_share_is_a_reason_that_names_it(shard: dict[str, Any], code: str, says: str) -> None:
    found = verdict(*GOOD, shards=[shard, share("done", 1)], load=DURING)
    assert codes(found) == [code]
    assert says in found.reasons[0].text


def test_a_share_that_its_run_never_began_because_a_person_stopped_it_is_not_missed() -> None:
    assert verdict(*GOOD, shards=[share("stopped: by ann"), share(None, 1, "stopped", None)], load=DURING).trusted


@pytest.mark.parametrize(
    "more", [{"conversations": 5}, {"kind": "open"}, {"search": {"lowest": 1}}, {"duration_s": None}]
)
def test_a_load_that_may_run_out_of_work_is_done_before_its_time(more: dict[str, Any]) -> None:
    assert verdict(*GOOD, shards=[share("done", at_s=4.0)], load=DURING | more).trusted


@pytest.mark.parametrize(
    ("lag_us", "stalled"),
    [([1_900_000], True), ([200_000] * 3, True), ([450_000], False), ([90_000] * 9, False), ([400_000, 5_000], False)],
    ids=["stopped for 2 s", "0.6 of 9 s in pieces", "once for half a second", "busy", "a moment"],
)
def test_an_engine_that_stands_still_is_named_and_a_busy_one_is_not(lag_us: list[int], stalled: bool) -> None:
    calm = [generator(0, 0, lag=[100] * 2000)]  # so that p99 of the lag says nothing of it
    found = verdict(*GOOD, *calm, generator(6, 1200, lag=lag_us))
    assert codes(found) == (["engine_stalled"] if stalled else [])


def test_one_engine_of_many_that_stands_still_is_enough() -> None:
    calm = b"".join(map(encoded, [head(), generator(0, 0, lag=[100] * 2000), tail(0)]))
    still = [head(), generator(0, 0), *GOOD, generator(6, 1200, lag=[200_000] * 3), tail(100)]
    others = [window for shard in range(2, 6) for window in parse(calm, 1, shard).windows.values()]
    assert codes(judge(merge([*batch(*still).windows.values(), *others]))) == ["engine_stalled"]


def test_a_threshold_on_a_percentile_asks_for_enough_samples() -> None:
    asked = [parse_threshold("e2e_ms.p999<900"), parse_threshold("ttft_ms.p95<900"), parse_threshold("e2e_ms.max<9")]
    found = verdict(*GOOD, thresholds=asked)
    assert [(reason.code, reason.text.split()[0]) for reason in found.reasons] == [("few_samples", "e2e_ms.p999")]


@pytest.mark.parametrize(("sessions", "trusted"), [(998, False), (999, True)])
def test_an_arrival_in_a_thousand_may_be_late_for_the_end(sessions: int, trusted: bool) -> None:
    opened = [{"k": "open", "id": n, "user": 1, "scenario": "talk", "at": MS} for n in range(sessions)]
    found = verdict(*opened, *GOOD, generator(6, 1200, dropped=1))
    assert found.trusted is trusted
    assert ("few_dropped" in [note.code for note in found.notes]) is trusted


@pytest.mark.parametrize(("version", "noted"), [("1.0", []), ("2.0", ["versions_differ"]), ("", ["versions_differ"])])
def test_an_engine_of_another_version_is_a_note(version: str, noted: list[str]) -> None:
    row = {"index": 0, "host": "a", "version": version, "status": "done", "reason": "", "end": "done", "at_s": 1.0}
    found = judge(aggregate(head(), *CALM, *GOOD, tail(100)), shards=[row], version="1.0")
    assert found.trusted and [note.code for note in found.notes] == noted


def test_without_kernel_time_stamps_a_lagging_loop_counts_sooner() -> None:
    lines = [*CALM, *GOOD, generator(6, 1200, lag=[20_000]), tail(100)]
    assert judge(aggregate(head("kernel"), *lines)).trusted
    found = judge(aggregate(head("user"), *lines))
    assert codes(found) == ["loop_lag"]
    assert [note.code for note in found.notes] == ["user_timestamps"]


@pytest.mark.parametrize(
    ("witness_ms", "spread_ms", "trusted"),
    [(90.0, 0, True), (98.0, 0, True), (103.0, 0, False), (70.0, 0, False), (103.0, 5.0, True), (120.0, 5.0, False)],
)
def test_a_witness_may_disagree_by_more_than_its_few_turns_explain(
    witness_ms: float, spread_ms: float, trusted: bool
) -> None:
    found = verdict(*GOOD, witness=Witness("e2e_ms", witness_ms, 90.0, witness_ms - spread_ms, witness_ms + spread_ms))
    assert codes(found) == ([] if trusted else ["witness_disagrees"])


def test_notes_say_how_to_read_and_cost_no_trust() -> None:
    lines = [turn(n, ts="estimate", planned=109 * MS) for n in range(100)]
    found = verdict(*lines, *(failed(100 + n) for n in range(10)), turns=110)
    assert found.trusted
    assert [note.code for note in found.notes] == ["tokens_estimated", "survivors_only"]


def test_estimates_of_both_kinds_are_told_apart() -> None:
    sources = ("doubt_to", "mixed_in", "estimate")
    found = verdict(*(turn(n, ts=sources[n % 3], planned=109 * MS) for n in range(99)), turns=99)
    text = next(note.text for note in found.notes if note.code == "tokens_estimated")
    assert text.startswith("The target did not report all token counts, and not all that it reported were believed;")


@pytest.mark.parametrize(
    ("source", "noted", "said"),
    [
        ("usage", [], ""),
        ("mixed", ["tokens_estimated"], "all input token counts"),
        ("mixed_in", ["tokens_estimated"], "all output token counts"),
        ("doubted", ["tokens_estimated", "usage_not_believed"], "Not all token counts that the target reported"),
        ("doubt_in", ["tokens_estimated", "usage_not_believed"], "Not all input token counts that"),
        ("doubt_to", ["tokens_estimated", "usage_not_believed"], "In 100 turns the target's usage cannot be true"),
        ("doubt_to", ["tokens_estimated", "usage_not_believed"], "fewer than its texts have, more than can be, or no"),
        ("split", ["reasoning_split"], "In 100 turns the target streamed its reasoning"),
        ("split_in", ["tokens_estimated", "reasoning_split"], "all input token counts"),
    ],
)
def test_notes_say_whose_token_counts_the_figures_rest_on(source: str, noted: list[str], said: str) -> None:
    found = verdict(*(turn(n, ts=source, planned=109 * MS) for n in range(100)), turns=100)
    assert found.trusted
    assert [note.code for note in found.notes] == noted
    assert said in " ".join(note.text for note in found.notes)


def test_every_documented_reason_is_proved_in_this_file() -> None:
    others = {"engine_died", "witness_disagrees", "stopped_answering", "hang_not_judged", "answers_may_be_shifted"}
    assert {code for code, _, _ in CASES} | others == set(REASONS)
    proved = {
        "few_cut_off",
        "answers_paused",
        "user_timestamps",
        "tokens_estimated",
        "survivors_only",
        "start_apart",
        "slower_later",
        "few_dropped",
        "versions_differ",
    }
    proved |= {
        "usage_not_believed",
        "reasoning_split",
        "content_type_wrong",
        "through_proxy",
    }  # the last one: test_report.py
    assert set(NOTES) == proved


@pytest.mark.parametrize(("late_ms", "error_ms", "noted"), [(0, 49, []), (30, 21, ["start_apart"])])
def test_engines_that_may_have_begun_apart_are_noted(late_ms: int, error_ms: int, noted: list[str]) -> None:
    began = head() | {"late_ns": late_ms * MS, "clock_error_ns": error_ms * MS}
    lines = [began, *(turn(n) for n in range(200)), tail(200)]
    found = merge([*batch(*lines).windows.values(), *parse(SECOND_ENGINE, 1, 2).windows.values()])
    assert start_error_ns(found) == (late_ms + error_ms) * MS
    assert [note.code for note in judge(found).notes] == noted
    assert start_error_ns(aggregate(head(), turn())) is None


def ended(load_s: float, turns: int) -> dict[str, Any]:
    return tail(turns) | {"load": int(load_s * 1000) * MS}


def answered_until(second: int) -> list[dict[str, Any]]:
    return [turn(n, done=(second * 1000 - 1) * MS, planned=(second * 1000 - 101) * MS, sent=(second * 1000 - 100) * MS)
            for n in range(100)]  # fmt: skip


@pytest.mark.parametrize(
    ("until_s", "load_s", "named"), [(3, 20, True), (7, 10, True), (19, 20, False), (57, 60, False), (53, 60, True)]
)
def test_a_target_that_fell_silent_before_the_end_is_named(until_s: int, load_s: int, named: bool) -> None:
    lines = [*answered_until(until_s), failed(100, "timeout", "unanswered", done=50_000 * MS)]
    found = judge(aggregate(head(), *lines, ended(load_s, 101)))
    assert codes(found) == (["stopped_answering"] if named else [])


@pytest.mark.parametrize(("reason", "named"), [("done", True), ("stopped", False)])
def test_answers_that_were_cut_off_in_a_silence_are_doubted(reason: str, named: bool) -> None:
    """A user of a closed loop waits once: few turns are cut off, however long nobody got an answer."""
    lines = [*answered_until(3), failed(100, "aborted", "stopped", done=50_000 * MS)]
    found = judge(aggregate(head(), *lines, ended(20, 101) | {"reason": reason}))
    assert codes(found) == (["hang_not_judged"] if named else [])
    if named:
        assert "No turn was answered well in the last 17 of 20 s" in found.reasons[0].text


@pytest.mark.parametrize(
    ("failures", "load", "named"),
    [
        (5, {}, True),
        (4, {}, False),
        (40, {"search": {"conditions": ["error_rate<1%"]}}, False),
        (40, {"sweep": {"levels": [1, 2]}}, False),
        (40, {"duration_s": 20, "cool_down_s": 17}, False),
        (40, {"duration_s": 20, "cool_down_s": 10}, True),
    ],
)
def test_a_target_that_only_fails_at_the_end_stopped_answering(
    failures: int, load: dict[str, Any], named: bool
) -> None:
    lines = [failed(100 + n, "error", "http_503", done=(5000 + n) * MS) for n in range(failures)]
    found = judge(aggregate(head(), *answered_until(3), *lines, ended(20, 100 + failures)), load=load)
    assert ("stopped_answering" in codes(found)) is named


def test_failures_before_the_last_good_turn_are_no_silence() -> None:
    lines = [failed(100 + n, "error", "http_503", done=(1000 + n) * MS) for n in range(40)]
    assert codes(judge(aggregate(head(), *answered_until(3), *lines, ended(20, 140)))) == []


def test_silence_without_a_user_who_waits_is_only_a_pause() -> None:
    assert judge(aggregate(head(), *answered_until(3), ended(20, 100))).trusted


@pytest.mark.parametrize(
    ("cut", "reason", "reasons", "notes"),
    [
        (10, "done", ["hang_not_judged"], []),
        (2, "done", [], ["few_cut_off"]),
        (10, "stopped", [], []),
        (0, "done", [], []),
    ],
)
def test_turns_that_the_end_cut_off_are_told(cut: int, reason: str, reasons: list[str], notes: list[str]) -> None:
    lines = [failed(100 + n, "aborted", "stopped") for n in range(cut)]
    found = verdict(*GOOD, *lines, turns=100 + cut)
    if reason != "done":
        found = judge(aggregate(head(), *CALM, *GOOD, *lines, tail(100 + cut, reason)))
    assert codes(found) == reasons
    assert [note.code for note in found.notes] == notes


@pytest.mark.parametrize(
    ("unsolicited", "by_id", "others", "shifted"),
    [
        (0, False, OthersAnswers(), False),
        (1, False, OthersAnswers(), True),
        (1, True, OthersAnswers(), False),
        (0, False, OthersAnswers(unsolicited=1), True),
        (0, True, OthersAnswers(mismatched=2), True),
        (0, False, OthersAnswers(mismatched=1), False),
    ],
)
def test_answers_that_may_be_anothers(unsolicited: int, by_id: bool, others: OthersAnswers, shifted: bool) -> None:
    late = [{"k": "uns", "s": 1, "at": 5, "n": unsolicited}] if unsolicited else []
    found = judge(aggregate(head() | {"correlates": by_id}, *CALM, *GOOD, *late, tail(100)), others=others)
    assert ("answers_may_be_shifted" in codes(found)) is shifted


def test_the_witness_own_unsolicited_messages_are_told_apart() -> None:
    late = {"k": "uns", "s": 1, "at": 5, "n": 3}
    found = judge(aggregate(head(), *CALM, *GOOD, late, tail(100)), others=OthersAnswers(unsolicited=2))
    assert "5 messages came that no question had asked for (2 of them to the witness)" in found.reasons[0].text
