"""A pool process that is forked while the host's recovery thread uses the database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import ROOT

FORKS = """
import os, sqlite3, subprocess, sys, threading
import django
django.setup()
from django.db import connection
from runs.completion.host_recovery import HostRecovery

path = connection.settings_dict["NAME"]
within, go_on = threading.Event(), threading.Event()

class Looking(HostRecovery):
    def round(self):
        connection.cursor().execute("SELECT * FROM told").fetchall()
        within.set()
        go_on.wait(30)

connection.cursor().execute("CREATE TABLE told (word TEXT)")
connection.close()
recovery = Looking(0.01)
recovery.start()
within.wait(30)
threading.Timer(0.5, go_on.set).start()
told, tell = os.pipe()
child = os.fork()
if child == 0:
    os.read(told, 1)
    print(connection.cursor().execute("SELECT word FROM told").fetchall(), flush=True)
    os._exit(0)
recovery.stop(30)
other = sqlite3.connect(path, isolation_level=None)
other.execute("INSERT INTO told VALUES ('new')")
os.write(tell, b"x")
os.waitpid(child, 0)
"""


def test_reads_what_is_written_after_its_fork_on_sqlite(tmp_path: Path) -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tokenburn_site.settings", "TOKENBURN_VAR_DIR": str(tmp_path)}
    env |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("[('new',)]\n", 0), done.stderr
