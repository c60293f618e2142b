from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import SpecError
from runs.load.profile import ClosedLoad, OpenLoad, parse_load
from runs.load.shares import check_shares, share_count, share_numbers


@given(total=st.integers(0, 3000), of=st.integers(1, 64))
def test_shares_are_disjoint_and_their_union_is_the_whole(total: int, of: int) -> None:
    shares = [share_numbers(total, index, of) for index in range(of)]
    assert sorted(number for share in shares for number in share) == list(range(total))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sizes == [share_count(total, index, of) for index in range(of)]


@given(users=st.integers(1, 200), conversations=st.none() | st.integers(1, 200), of=st.integers(1, 64))
def test_a_load_passes_exactly_if_no_share_is_empty(users: int, conversations: int | None, of: int) -> None:
    load = ClosedLoad(users=users, conversations=conversations, duration_s=1.0)
    smallest = min(share_count(total, of - 1, of) for total in (users, conversations or users))
    if smallest:
        check_shares(load, of)
    else:
        with pytest.raises(SpecError):
            check_shares(load, of)


def test_too_few_users_are_said_in_numbers() -> None:
    with pytest.raises(SpecError, match="a load of 3 users cannot be shared by 4 processes: give at most 3"):
        check_shares(ClosedLoad(users=3, duration_s=1), 4)


def test_one_conversation_is_not_called_conversations() -> None:
    with pytest.raises(SpecError, match="a load of 1 conversation cannot be shared by 2 processes"):
        check_shares(ClosedLoad(users=3, conversations=1), 2)


def test_an_open_load_needs_a_session_slot_for_each_process() -> None:
    with pytest.raises(SpecError, match="a load of 1 session cannot be shared by 2 processes"):
        check_shares(OpenLoad(rate_per_s=5, duration_s=1, max_sessions=1), 2)


def test_a_share_outside_the_range_does_not_exist() -> None:
    with pytest.raises(ValueError, match="share 2 of 2"):
        share_numbers(10, 2, 2)


def test_a_budget_that_leaves_an_engine_nothing_is_refused() -> None:
    load = {"kind": "closed", "users": 9, "duration_s": 1}
    with pytest.raises(SpecError, match="a budget of 3 turns cannot be shared by 4 processes: give at most 3"):
        check_shares(parse_load({**load, "budget": {"turns": 3}}), 4)
    with pytest.raises(SpecError, match="a budget of 1 token cannot be shared by 2 processes"):
        check_shares(parse_load({**load, "budget": {"tokens": 1}}), 2)
