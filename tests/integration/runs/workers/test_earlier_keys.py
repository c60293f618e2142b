"""An update from a version whose names in the broker were without the installation's id."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from runs.broker_keys import broker_key
from runs.load.profile import ClosedLoad
from runs.models import RunStatus
from runs.workers import dispatch
from tests.integration.runs.conftest import Counting, Start, check_invariants
from tests.integration.runs.workers.test_placement import ended
from tests.support.runs import until


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_queued_before_the_update_runs_after_it(
    counting: Counting, start_worker: Start, tmp_path: Path, valkey: str
) -> None:
    run = counting.run(1, ClosedLoad(users=2, conversations=2), local=False)
    with redis.Redis.from_url(valkey) as client:
        assert client.rename(broker_key(dispatch.LOAD_QUEUE), dispatch.LOAD_QUEUE)
        start_worker("load", "-c", "1")
        start_worker("control", "-c", "1", "-B", "-s", str(tmp_path / "beat"))
        until(lambda: ended(run), 60, "the run's end")
        assert client.llen(dispatch.LOAD_QUEUE) == 1, "another installation may still use the earlier name"
    assert check_invariants(run, counting)["ok"] == 10
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
