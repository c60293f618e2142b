"""`manage.py load` and `manage.py stop` in a second terminal, while `burn` runs in the first."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from metrics.number_format import exact
from tests.e2e.burning import Burner, finish, wait_until
from tests.support.processes import ROOT, Mock


def second_terminal(burn: Burner, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *argv],
        cwd=ROOT,
        env=burn.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def turns(burn: Burner, since_s: float = 0.0) -> int:
    """Stored turns of the only run that were planned after `since_s`."""
    path = burn.var_dir / "tokenburn.sqlite3"
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        query = "SELECT count(*) FROM metrics_sessionmetric WHERE planned_ns > ?"
        try:
            return int(connection.execute(query, (int(since_s * 1e9),)).fetchone()[0])
        except sqlite3.OperationalError:  # no tables yet
            return 0


def test_a_second_terminal_changes_the_rate_and_stops_the_run(
    mock: Mock, tmp_path: Path, migrated: Callable[[Path], Path]
) -> None:
    burn, report_path, page = Burner(migrated(tmp_path / "var")), tmp_path / "report.json", tmp_path / "report.html"
    url = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "hi")
    files = ("--json", str(report_path), "--html", str(page))
    child = burn.start(*url, "--rate", "10/s", "--duration", "5m", "--processes", "2", *files)
    wait_until(child, lambda: turns(burn) >= 1)

    changed = second_terminal(burn, "load", "1", "--rate", "100/s")
    assert changed.returncode == 0
    assert changed.stdout.startswith("run 1: 100/s from ")
    since_s = float(changed.stdout.split()[-3])
    wait_until(child, lambda: turns(burn, since_s) >= 40)

    stopped = second_terminal(burn, "stop", "1")
    assert (stopped.returncode, stopped.stderr) == (0, "")
    burnt = finish(child)
    assert (burnt.code, burnt.line.startswith("run 1 stopped: stopped by ")) == (3, True)
    report = json.loads(report_path.read_text())
    assert report["run"]["status"] == "stopped"
    assert report["turns"]["ok"] > 40
    assert [change["level"] for change in report["load_changes"]] == [100]
    assert f"load      100/s from {exact(round(since_s, 1))} s on, by " in burnt.out
    assert "Changes of the load" in page.read_text()
