"""What brings users and arrivals, through changes of the load: in virtual time, so that hours cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runs.engine.core import clock, precise_timer
from runs.engine.drivers import Change, Driver, base, closed, new_driver
from runs.load.arrivals import areas, arrival_ns, level_for
from runs.load.levels import level_of
from runs.load.profile import ClosedLoad, Load, OpenLoad, Stage, TraceLoad, parse_load
from tests.support.virtual import VirtualLoop

S = 10**9
PLENTY = 10**6
CAREFULLY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class FakeUser:
    """Holds conversations of a second, each a single turn; notes when."""

    turn_s = 1.0

    def __init__(self, shard: FakeShard, number: int) -> None:
        self.shard, self.number = shard, number
        self.in_flight = self.leaving = self.budget_reserved = False
        self.needs_rest = False

    async def converse(self, planned_ns: int, session: Any) -> int:
        shard = self.shard
        shard.begun.append((self.number, planned_ns))
        shard.active += 1
        self.in_flight = True
        await asyncio.sleep(self.turn_s)
        self.in_flight = False
        shard.active -= 1
        return shard.loop.ns()

    async def leave(self) -> None:
        self.shard.left.append((self.number, self.shard.loop.ns()))


class FakeShard:
    def __init__(self, loop: VirtualLoop, load: Load, index: int, of: int, seed: int = 5) -> None:
        self.loop = loop
        self.spec = SimpleNamespace(load=load, index=index, of=of, seed=seed)
        self.t0_ns = 0
        self.stopping = False
        self.active = self.dropped = 0
        self.begun: list[tuple[int, int]] = []
        self.left: list[tuple[int, int]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.driver: Driver = new_driver(cast("Any", self))

    def start(self, work: Coroutine[Any, Any, None], user: Any) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def new_user(self, number: int) -> FakeUser:
        return FakeUser(self, number)

    def new_session(self, user: int, number: int | None = None) -> None: ...

    @property
    def there(self) -> int:
        seats = cast("closed.ClosedDriver", self.driver)._seats.values()
        return sum(not (seat.task.done() or seat.user.leaving) for seat in seats)


@pytest.fixture(autouse=True)
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualLoop]:
    virtual = VirtualLoop()
    for module in (clock, base):
        monkeypatch.setattr(module.time, "monotonic_ns", virtual.ns)
    monkeypatch.setattr(precise_timer, "_new_timer", lambda: -1)  # a timer of the system's would ring in real time
    yield virtual
    virtual.close()


def hold(
    loop: VirtualLoop,
    load: Load,
    of: int,
    until_s: float,
    changes: Sequence[tuple[Change, float]] = (),
    looks: Sequence[float] = (),
) -> tuple[list[FakeShard], list[int]]:
    """The load on `of` shards, each change with the time from which on the shards are told; the users there at `looks`.

    Shard k is told 10 ms x k later.
    """
    loop.now_s = 0.0
    shards = [FakeShard(loop, load, index, of) for index in range(of)]
    seen: list[int] = []

    async def go() -> None:
        for shard in shards:
            shard.driver.start()
            for count, (_, heard_s) in enumerate(changes, 1):
                told = [change for change, _ in changes[:count]]
                loop.call_at(heard_s + shard.spec.index * 0.01, shard.driver.change, told, PLENTY)
        for at_s in looks:
            loop.call_at(at_s, lambda: seen.append(sum(shard.there for shard in shards)))
        await asyncio.sleep(until_s)
        for shard in shards:
            shard.stopping = True
            for task in list(shard.tasks):
                task.cancel()
        await asyncio.sleep(0)

    loop.run_until_complete(go())
    return shards, seen


RATES = st.sampled_from([0.0, 0.5, 3.0, 20.0])
OPEN = st.builds(
    OpenLoad,
    rate_per_s=st.sampled_from([0.7, 5.0, 20.0]),
    arrivals=st.sampled_from(["constant", "poisson"]),
    stages=st.sampled_from([(), (Stage(duration_s=3, to=9), Stage(duration_s=7, to=0))]),
    duration_s=st.just(10.0),
)
MOMENTS = st.lists(st.tuples(st.floats(0.1, 9), RATES, st.floats(0.05, 2)), max_size=4)


@CAREFULLY
@given(load=OPEN, of=st.integers(1, 4), moments=MOMENTS)
def test_through_all_changes_the_shards_together_are_the_plan(
    loop: VirtualLoop, load: OpenLoad, of: int, moments: list[tuple[float, float, float]]
) -> None:
    told, level, heard_s = [], level_for(load), 0.0
    for at_s, rate, ahead_s in sorted(moments):
        heard_s = max(heard_s, at_s - ahead_s, 0.0)
        if heard_s + 0.05 < at_s:  # in time for every shard
            told.append((Change(at_s, rate), heard_s))
            level = level.changed(at_s, rate)
    shards, _ = hold(loop, load, of, 11, told)
    plan = []
    for number, area in enumerate(areas(load, 5)):
        at_ns = arrival_ns(level, area)
        if at_ns is None:
            break
        plan.append((number, at_ns))
    assert sorted(begun for shard in shards for begun in shard.begun) == plan
    assert all(number % of == shard.spec.index for shard in shards for number, _ in shard.begun)


def test_a_rate_of_zero_is_a_pause_and_nothing_is_made_up_for(loop: VirtualLoop) -> None:
    load = OpenLoad(rate_per_s=10, conversations=60)
    shards, _ = hold(loop, load, 2, 100, [(Change(2, 0), 1), (Change(52, 20), 50)])
    times = sorted(at / S for shard in shards for _, at in shard.begun)
    assert len(times) == 60
    assert sum(at < 2 for at in times) == 20
    assert sum(2 <= at < 52 for at in times) == 0
    assert times[20] == pytest.approx(52, abs=0.1)
    assert times[-1] == pytest.approx(54, abs=0.1)


def test_a_change_that_comes_late_counts_from_then_on(loop: VirtualLoop) -> None:
    shards, _ = hold(loop, OpenLoad(rate_per_s=1, duration_s=10), 1, 10, [(Change(2, 100), 5)])
    times = [at / S for _, at in shards[0].begun]
    assert sum(at < 5 for at in times) == 5
    assert sum(5 <= at < 6 for at in times) == pytest.approx(100, abs=1)


STAGES = (Stage(duration_s=3, to=40), Stage(duration_s=0, to=8), Stage(duration_s=9, to=20))
CLIMBING = ClosedLoad(users=1, stages=STAGES, duration_s=12.0)
CLOSED = st.builds(
    ClosedLoad,
    users=st.integers(1, 30),
    stages=st.sampled_from([(), STAGES]),
    duration_s=st.just(12.0),
)
USERS = st.lists(st.tuples(st.floats(0.1, 10), st.sampled_from([0.0, 1.0, 7.0, 55.0]), st.floats(0, 1)), max_size=4)


@CAREFULLY
@given(load=CLOSED, of=st.integers(1, 4), moments=USERS)
@example(load=CLIMBING, of=1, moments=[(1.25, 0.0, 0.0)])
def test_users_follow_the_level_through_all_changes(
    loop: VirtualLoop, load: ClosedLoad, of: int, moments: list[tuple[float, float, float]]
) -> None:
    told: list[tuple[Change, float]] = []
    level, heard_s = level_of(load.users, load.stages, load.duration_s), 0.0
    for at_s, users, ahead_s in sorted(moments):
        if told and at_s < told[-1][0].at_s + 0.2:
            continue  # two changes at once: for a moment it is the first
        heard_s = max(heard_s, at_s - ahead_s, 0.0)
        level = level.changed(max(at_s, heard_s), users)
        told.append((Change(at_s, users), heard_s))
    looks = [step / 4 for step in range(1, 47)]
    shards, seen = hold(loop, load, of, 12, told, looks)
    for at_s, there in zip(looks, seen, strict=True):
        before = [level.at(at_s - back) for back in (0.0, 1e-6, *(step / 50 for step in range(1, 7)))]
        # Within 120 ms (users come one after another, shards are told one after another) it was so.
        assert min(before) - 1 <= there <= max(before) + 1, (at_s, there, before)
    planned = [at for shard in shards for _, at in shard.begun]
    assert all(at <= 12 * S for at in planned)


def test_users_who_leave_end_their_turn_and_come_back_by_their_numbers(loop: VirtualLoop) -> None:
    changes = [(Change(2.5, 1), 2.0), (Change(5.5, 3), 5.0), (Change(8.25, 0), 8.0), (Change(8.75, 2), 8.0)]
    (shard,), seen = hold(loop, ClosedLoad(users=3, duration_s=12), 1, 12, changes, [2.4, 2.6, 5.4, 5.6, 8.5, 8.8])
    assert seen == [3, 1, 1, 3, 0, 2]
    begun = {number: [at / S for who, at in shard.begun if who == number] for number in range(3)}
    assert [at for at in begun[2] if 2.5 < at < 5.5] == []
    assert begun[2][3] == pytest.approx(5.5, abs=0.01)
    # At 8.25 s the turns of both were in flight until 8.5 s and later; who came back before its end just went on.
    left = {number: [at / S for who, at in shard.left if who == number] for number in range(3)}
    assert left[2] == pytest.approx([3.0, 8.5], abs=0.01)
    assert left[0] == pytest.approx([9.0, 12.0], abs=0.01) or left[0] == pytest.approx([12.0], abs=0.01)


def test_a_load_of_conversations_ends_with_them_however_its_users_change(loop: VirtualLoop) -> None:
    shards, _ = hold(loop, ClosedLoad(users=4, conversations=41), 2, 60, [(Change(3, 0), 2), (Change(30, 9), 20)])
    assert sorted(len(shard.begun) for shard in shards) == [20, 21]
    assert all(shard.driver._leading is not None and shard.driver._leading.done() for shard in shards)
    assert not any(3.2 * S < at < 30 * S for shard in shards for _, at in shard.begun)


def test_no_change_brings_more_users_than_files_may_be_open(loop: VirtualLoop) -> None:
    shard = FakeShard(loop, ClosedLoad(users=2, duration_s=9), 0, 2)
    shard.driver.change([Change(1, 500)], 10)
    assert shard.driver.level.at(2) == 20
    assert shard.driver.most_level(10) == 20


def test_what_is_told_again_changes_nothing(loop: VirtualLoop) -> None:
    shard = FakeShard(loop, OpenLoad(rate_per_s=2, duration_s=9), 0, 1)
    shard.driver.change([Change(1, 5)], PLENTY)
    level = shard.driver.level
    shard.driver.change([Change(1, 5)], PLENTY)
    assert shard.driver.level is level


def test_a_trace_begins_each_conversation_at_its_time_by_its_number(loop: VirtualLoop) -> None:
    load = parse_load({"kind": "trace", "arrivals_s": [0, 0.5, 0.5, 4, 10], "speed": 2})
    assert isinstance(load, TraceLoad)
    shards, _ = hold(loop, load, 2, 20)
    assert shards[0].begun == [(0, 0), (2, S // 4), (4, 5 * S)]
    assert shards[1].begun == [(1, S // 4), (3, 2 * S)]


def test_a_trace_may_be_cut_and_its_speed_changed(loop: VirtualLoop) -> None:
    trace = {"kind": "trace", "arrivals_s": [float(at) for at in range(20)]}
    shards, _ = hold(loop, parse_load({**trace, "duration_s": 6.5}), 1, 20)
    assert [at / S for _, at in shards[0].begun] == [0, 1, 2, 3, 4, 5, 6]
    shards, _ = hold(loop, parse_load({**trace, "conversations": 6}), 1, 20, [(Change(2.5, 2), 1), (Change(3.5, 0), 3)])
    assert [at / S for _, at in shards[0].begun] == [0, 1, 2, 2.75, 3.25]


def test_arrivals_that_a_busy_engine_has_not_begun_are_missed_once(loop: VirtualLoop) -> None:
    shard = FakeShard(loop, parse_load({"kind": "trace", "arrivals_s": [0, 1, 2, 3], "duration_s": 2.5}), 0, 1)
    loop.now_s = 1.5
    assert [shard.driver.missed(), shard.driver.missed()] == [2, 0]
    loop.now_s = 9.0
    assert shard.driver.missed() == 1  # the load is over before the fourth


def test_an_arrival_that_the_end_overtakes_before_it_has_run_is_missed(loop: VirtualLoop) -> None:
    shard = FakeShard(loop, parse_load({"kind": "trace", "arrivals_s": [0, 1], "duration_s": 2}), 0, 1)

    async def go() -> tuple[int, int]:
        shard.driver.start()
        await asyncio.sleep(0)  # the first arrival's task is made, and has not run
        at_once = shard.driver.missed()
        await asyncio.sleep(0)
        later = shard.driver.missed()
        for task in list(shard.tasks):
            task.cancel()
        await asyncio.sleep(0)
        return at_once, later

    assert loop.run_until_complete(go()) == (1, 0)


def test_arrivals_beyond_the_most_sessions_are_dropped_and_counted(loop: VirtualLoop) -> None:
    load = parse_load({"kind": "trace", "arrivals_s": [0, 0.1, 0.2, 3], "max_sessions": 2})
    (shard,), _ = hold(loop, load, 1, 9)
    assert [number for number, _ in shard.begun] == [0, 1, 3]
    assert shard.dropped == 1
