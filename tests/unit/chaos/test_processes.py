from __future__ import annotations

import subprocess
import sys

import pytest

from tests.chaos import processes
from tests.chaos.processes import SERVICES


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("load", "python -m celery -A tokenburn_site worker --pool prefork -Q load -c 2 -n load.12@%h"),
        ("load", "[celeryd: load.12@host:MainProcess] -active- (-A tokenburn_site worker -Q load)"),
        ("control", "[celeryd: control.12@host:MainProcess] -active- (-A tokenburn_site worker -Q control)"),
        ("beat", "[celery beat] -A tokenburn_site beat --pidfile "),
        ("beat", "python -m celery -A tokenburn_site beat --pidfile"),
        ("broker", "/usr/bin/redis-server 127.0.0.1:6399"),
        ("web", "python -m daphne -b 127.0.0.1 -p 8000 tokenburn_site.asgi:application"),
    ],
)
def test_a_service_is_known_by_its_command_and_by_its_title(name: str, line: str) -> None:
    assert [known for known, suits in SERVICES.items() if suits(line)] == [name]


def test_descendants_are_found_paused_and_killed() -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdout.readline()
        (child,) = processes.descendants([parent.pid]).keys() - {parent.pid}
        assert processes.pause([child]) == [child]
        processes.resume([child])
        assert processes.kill([child])
        assert processes.look(child) is None
        assert not processes.kill([child])
        parent.wait(30)
        assert processes.descendants([parent.pid]) == {}
