from __future__ import annotations

from itertools import pairwise

from tests.chaos.plan import DATABASES, HEALTHY, KINDS, case_of, deck


def test_a_seed_gives_the_same_case_again() -> None:
    assert [case_of(seed) for seed in range(50)] == [case_of(seed) for seed in range(50)]


def test_as_many_seeds_as_cards_try_every_fault_on_both_databases_in_every_way_it_has() -> None:
    tried = {
        (case.way, case.database, fault.kind)
        for case in map(case_of, range(1000, 1000 + len(deck())))
        for fault in case.faults
    }
    assert tried >= {
        (way, database, name) for name, kind in KINDS.items() for way in kind.ways for database in DATABASES
    }
    assert sum(name == HEALTHY for *_, name in deck()) >= len(deck()) / 10


def test_faults_come_while_there_is_load_to_lose_and_what_ends_the_run_comes_last() -> None:
    for case in map(case_of, range(500)):
        assert all(1.0 <= fault.at_s <= case.duration_s - 3.0 for fault in case.faults), case
        assert all(after.at_s - before.at_s > 0.15 for before, after in pairwise(case.faults)), case
        assert [kind.ends for kind in case.kinds[:-1]] == [False] * (len(case.kinds) - 1), case
        assert all(case.way in kind.ways for kind in case.kinds), case
        assert all(case.duration_s >= kind.needs_s for kind in case.kinds), case
    assert {len(case_of(seed).faults) for seed in range(100)} == {0, 1, 2}
