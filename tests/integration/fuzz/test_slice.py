"""A small part of `make fuzz`, always the same one: each kind of input ends in an answer or a refusal."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.kinds import rows, site
from tests.fuzz.table import KINDS

EXAMPLES = 30
SLOW_S = 5.0
"""Of processor time; the process of a test does other things, too."""


@pytest.fixture
def site_with_rows(transactional_db: None, valkey: str) -> Any:
    """Made for each test: the database is emptied behind it."""
    known = (rows.rows, rows.api, rows.browser)
    for cached in known:
        cached.cache_clear()
    site._SEEN.clear()
    rows.rows()
    rows.api()
    yield
    for cached in known:
        cached.cache_clear()


@pytest.mark.usefixtures("site_with_rows")
@pytest.mark.parametrize("name", sorted(KINDS))
def test_no_input_breaks_or_hangs_the_product(name: str) -> None:
    outcomes = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(KINDS[name].inputs())
    def take(value: Any) -> None:
        begun = time.process_time()
        outcomes.add(KINDS[name].take(value))
        assert time.process_time() - begun < SLOW_S

    take()
    assert len(outcomes) > 1, "inputs of which all are refused try nothing"
