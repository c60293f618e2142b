"""Whatever ends a burn before its run begins, the files that were asked for say why."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from connectors.spec import build_target_spec
from tests.support.processes import ROOT
from tests.support.runs import a_run
from tests.support.services import reserve_port
from tokenburn_site.cli.burn import outcome
from tokenburn_site.cli.burn.preflight import check_reachable
from tokenburn_site.cli.burn.unstarted import results_of_failure
from tokenburn_site.cli.console import PatientConsole
from tokenburn_site.cli.errors import BadUsage, CannotRun
from tokenburn_site.cli.options.burn_options import Options
from tokenburn_site.cli.report.contract import CONTRACT

FILES = {"json": "r.json", "html": "r.html", "junit": "r.xml", "markdown": "r.md"}


def options(folder: Path, url: str = "http://127.0.0.1:9/v1") -> Options:
    paths: dict[str, Any] = {name: str(folder / file) for name, file in FILES.items()}
    load = {"kind": "closed", "users": 2, "conversations": 2}
    return Options(
        url=url,
        preset="openai-chat",
        prompt="hi",
        load=load,
        thresholds=("error_rate<1%",),
        **paths,
    )


def fail(folder: Path, url: str, **overrides: object) -> None:
    spec = build_target_spec(name=url, url=url, preset="openai-chat", overrides=overrides)
    with pytest.raises(CannotRun), results_of_failure(options(folder, url)):
        check_reachable(spec)


@pytest.fixture
def plain_port() -> Iterator[int]:
    """Answers the first bytes of the first connection with HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def the_error(folder: Path) -> str:
    """What the JUnit file's one error says; the other files must say it too."""
    root = ElementTree.fromstring((folder / "r.xml").read_bytes())
    (error,) = root.iter("error")
    assert root.get("errors") == "1"
    said = error.get("message", "")
    status, _, reason = said.partition(": ")
    report = json.loads((folder / "r.json").read_bytes())
    assert list(report) == list(CONTRACT)
    assert (report["run"]["id"], report["run"]["status"], report["run"]["reason"]) == (None, status, reason)
    assert report["turns"]["sent"] == 0 and not report["verdict"]["trusted"]
    for name in ("r.html", "r.md"):
        text = unescape((folder / name).read_text()).replace("\\", "").replace("\u200b", "")
        assert reason in text and "None" not in text
    assert "did not begin" in (folder / "r.md").read_text()
    return said


def test_refused(tmp_path: Path) -> None:
    fail(tmp_path, f"http://127.0.0.1:{reserve_port()}/v1")
    assert "connect_refused" in the_error(tmp_path)


def test_a_name_that_is_not_found(tmp_path: Path) -> None:
    fail(tmp_path, "http://no-such-host.invalid/v1")
    assert "dns_failed" in the_error(tmp_path)


def test_tls_that_fails(tmp_path: Path, plain_port: int) -> None:
    fail(tmp_path, f"https://127.0.0.1:{plain_port}/v1")
    assert "tls_failed" in the_error(tmp_path)


def test_an_address_that_is_not_dialled(tmp_path: Path) -> None:
    fail(tmp_path, "http://169.254.169.254/v1")
    assert "address_blocked" in the_error(tmp_path)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (CannotRun("--workers: no load worker is alive"), "failed: --workers: no load worker is alive"),
        (OSError(28, "No space left on device"), "failed: [Errno 28] No space left on device"),
        (RuntimeError(), "failed: RuntimeError"),
        (KeyboardInterrupt(), "stopped: interrupted before the run began: nothing was sent"),
    ],
)
def test_whatever_else_fails(failure: BaseException, said: str, tmp_path: Path) -> None:
    with pytest.raises(type(failure)), results_of_failure(options(tmp_path)):
        raise failure
    assert the_error(tmp_path) == said


def test_sigterm_is_an_interruption(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), results_of_failure(options(tmp_path)):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert "interrupted" in the_error(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


def _nothing() -> None:
    pass


def _bad_usage() -> None:
    raise BadUsage("there is no scenario of this name")


@pytest.mark.parametrize("act", [_nothing, _bad_usage])
def test_no_file_is_left_by_what_went_well_or_was_badly_asked(act: Callable[[], None], tmp_path: Path) -> None:
    try:
        with results_of_failure(options(tmp_path)):
            act()
    except BadUsage:
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_hides_no_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = options(tmp_path / "gone")
    with pytest.raises(CannotRun, match="away"), results_of_failure(gone):
        raise CannotRun("the target is away")
    assert "could not be written" in capsys.readouterr().err


@pytest.mark.django_db
def test_a_run_that_is_not_over_when_burn_leaves_it_is_reported_as_far_as_it_is_stored(tmp_path: Path) -> None:
    run = a_run()
    assert run.report is None
    outcome.show(run, options(tmp_path), PatientConsole(quiet=True), "burn")
    (error,) = ElementTree.fromstring((tmp_path / "r.xml").read_bytes()).iter("error")
    assert error.get("message") == "queued: no reason was given"
    assert json.loads((tmp_path / "r.json").read_bytes())["run"]["id"] == run.pk


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_imports_is_one_line(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "django.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    argv = [sys.executable, "manage.py", "burn", "--url", "http://127.0.0.1:1", "--prompt", "x", "--users", "1"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "importing\n"
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert (child.returncode, said) == (130, "burn: interrupted before the run began: nothing was sent\n")
