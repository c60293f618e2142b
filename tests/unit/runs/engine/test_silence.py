"""A paused machine is not a dead supervisor."""

from __future__ import annotations

import pytest

from runs.engine.silence import SILENCE_S, Silence
from runs.workers.leases import LEASE_S, SUSPECT_S

S = 10**9


def judged(looks: list[float], heard: list[float]) -> list[float]:
    silence = Silence(0)
    return [silence.seconds(int(at * S), int(last * S)) for at, last in zip(looks, heard, strict=True)]


def test_a_supervisor_that_hangs_is_silent_from_its_last_word_on() -> None:
    looks = [float(second) for second in range(1, 30)]
    assert judged(looks, [2.0] * 29)[-1] == 27.0
    assert SILENCE_S <= LEASE_S + SUSPECT_S, "another may have taken the shard"


@pytest.mark.parametrize("pause_s", [10.0, 25.0, 3600.0])
def test_a_pause_of_the_whole_machine_is_no_silence_and_what_comes_after_it_is(pause_s: float) -> None:
    back = 5.0 + pause_s
    assert judged([1, 2, 3, 4, 5, back, back + 1, back + 2], [4.0] * 8)[5:] == [0.0, 1.0, 2.0]


def test_a_busy_engine_is_no_pause() -> None:
    looks = [1.0, 3.0, 6.0, 9.0, 12.0]
    assert judged(looks, [1.0] * 5)[-1] == 11.0
