"""Keys are rotated in the middle of a run: nothing fails of what runs, of what waits, of what is asked for later."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings

from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus
from runs.services import stop_run
from targets.models import Credential, Target
from targets.rotation import behind
from tests.integration.runs.conftest import Start
from tests.support.credentials import keep
from tests.support.processes import ROOT, child_env
from tests.support.runs import SECRET, a_run, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]
SAID = b'{"choices": [{"message": {"role": "assistant", "content": "so be it"}}]}'


class Locked(BaseHTTPRequestHandler):
    """Answers requests with the right key."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.05)  # or the run takes all of the processor from what is tested
        self.send_response(200 if self.headers["Authorization"] == f"Bearer {SECRET}" else 401)
        self.send_header("Content-Length", str(len(SAID)))
        self.end_headers()
        self.wfile.write(SAID)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def locked() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def rotate_keys(*flags: str) -> str:
    argv = [sys.executable, "manage.py", "rotate_keys", *flags]
    done = subprocess.run(argv, cwd=ROOT, env=child_env(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def ended(run: Run) -> bool:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk) in RUN_TERMINAL


def test_rotation_in_the_middle_of_a_run_fails_nothing(locked: str, start_worker: Start) -> None:
    target = Target(name="kept", url=locked)
    keep(target, {"api_key": SECRET})
    start_worker("load", "-c", "1")
    running = a_run(1, ClosedLoad(users=4, duration_s=120), url=locked, local=False)
    until(lambda: running.turns.filter(outcome="ok").count() > 20, 40, "the run's full swing")
    waiting = a_run(1, ClosedLoad(users=2, conversations=4), url=locked, local=False)
    old = settings.SECRET_KEYRING[0][0]

    said = rotate_keys("--new")
    assert "credentials: 1 re-encrypted" in said and "runs: 2 re-encrypted" in said
    assert not ended(running)
    assert Run.objects.get(pk=waiting.pk).sealed_secrets.partition(":")[0] not in {old, ""}
    # This process still knows only the old keys, like a web server that was not restarted.
    later = a_run(1, ClosedLoad(users=2, conversations=4), url=locked, local=False)
    seen = running.turns.count()
    until(lambda: running.turns.count() > seen + 20, 20, "more turns after the rotation")
    stop_run(running, "enough")
    until(lambda: all(map(ended, (running, waiting, later))), 60, "the end of all runs")
    for run in (running, waiting, later):
        run.refresh_from_db()
        ends = (RunStatus.STOPPED, "enough") if run == running else (RunStatus.COMPLETED, "")
        assert (run.status, run.reason, run.sealed_secrets) == (*ends, "")
        assert set(run.turns.values_list("outcome", flat=True)) == {"ok"}

    target = Target.objects.get()
    assert target.get_secrets() == {"api_key": SECRET}
    assert settings.SECRET_KEYRING[0][0] != old
    assert behind(Credential) == behind(Run) == 0
