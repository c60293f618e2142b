"""What an engine says of its own memory."""

from __future__ import annotations

import subprocess
import sys

from tests.support.processes import ROOT


def test_the_peak_of_an_engine_is_not_that_of_the_process_that_started_it() -> None:
    large = bytearray(200_000_000)
    code = "from runs.engine.self_metrics import peak_bytes; print(peak_bytes())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert len(large) > int(done.stdout) > 20_000_000
