"""A program that is forked is what it would be if it were executed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.forking import forked_popen, with_django
from tests.support.processes import ROOT, read_json_line

ENGINE = (sys.executable, "-m", "runs.engine")
MOCK = (sys.executable, "-m", "mock_chatbot", "--port", "0")


def arguments(pid: int, name: str = "cmdline") -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text().rstrip("\0").split("\0")


@pytest.mark.parametrize("executed", [False, True])
def test_it_has_our_arguments_environment_and_parent_and_dies_of_our_signal(executed: bool) -> None:
    env = {"PATH": os.environ["PATH"], "SAID": "to nobody else"}
    with forked_popen.everything_executed() if executed else nullcontext():
        child = subprocess.Popen(MOCK, cwd=ROOT, env=env, stdout=subprocess.PIPE, bufsize=0, process_group=0)
    try:
        assert read_json_line(child)["url"].startswith("http://127.0.0.1:")
        assert arguments(child.pid) == [*MOCK]
        assert sorted(arguments(child.pid, "environ")) == sorted(f"{name}={value}" for name, value in env.items())
        assert os.getpgid(child.pid) == child.pid
        stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(stat[1]) == os.getpid()
    finally:
        child.terminate()
        assert child.wait(60) in (0, -signal.SIGTERM)
        assert child.stdout is not None
        child.stdout.close()


def test_input_output_and_exit_code_are_its_own() -> None:
    done = subprocess.run(ENGINE, cwd=ROOT, input='{"k": 1}\n', capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert '"order_invalid"' in done.stdout


SETTINGS = """
import json, os, django
django.setup()
from runs.supervisor import supervisor
from django.apps import apps
from django.conf import settings
from django.core.cache import caches
from django.db import connections
from django.db.models.signals import post_migrate
from tokenburn_site.celery import app
print(json.dumps([
    connections.settings, caches.settings, os.environ["TZ"], os.umask(0), app.conf.broker_url, app.conf.timezone,
    {name: value for name in dir(settings) if type(value := getattr(settings, name)) in (str, bool, int, float)},
    {config.label: sorted(model.__name__ for model in config.get_models()) for config in apps.get_app_configs()},
    len(post_migrate.receivers),
]))
"""


@pytest.mark.parametrize("settings", [with_django.SITE, with_django.BURN])
def test_a_django_program_has_its_own_settings(settings: str, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": settings, "TOKENBURN_VAR_DIR": str(tmp_path)}
    env |= {"TOKENBURN_ENV_FILE": "", "TOKENBURN_TIME_ZONE": "Asia/Tokyo", "REDIS_URL": "redis://127.0.0.1:9/7"}
    env |= {"TOKENBURN_SESSION_IDLE_HOURS": "3", "TOKENBURN_HISTORY_DAYS": "77", "TOKENBURN_LOG_LEVEL": "ERROR"}
    found = []
    for executed in (False, True):
        with forked_popen.everything_executed() if executed else nullcontext():
            program = [sys.executable, "-c", SETTINGS]
            done = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert found[0][0]["default"]["NAME"] == str(tmp_path / "tokenburn.sqlite3")
    assert found[0][2:6] == ["Asia/Tokyo", 0o77, "redis://127.0.0.1:9/7", "Asia/Tokyo"]
