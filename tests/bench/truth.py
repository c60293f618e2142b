"""Builds and runs truth.c, the chat server whose timing is known."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.bench.processes import pin

SOURCE = Path(__file__).with_name("truth.c")
SOURCES = (SOURCE, SOURCE.with_name("websocket.h"), SOURCE.with_name("http2.h"))
STOP_S = 10.0


class BuildError(RuntimeError):
    """There is no compiler, or it refused; the message says what to do."""


@dataclass
class Truth:
    """A running server. `counts` is filled when it has stopped: the keys that truth.c prints."""

    port: int
    pid: int
    counts: dict[str, Any] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """As the OpenAI SDK takes it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def root_url(self) -> str:
        """As a client of Socket.IO takes it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"


def build(cache: Path | None = None) -> Path:
    """The program, compiled unless these very sources have been before. Raises BuildError."""
    cache = cache or Path(tempfile.gettempdir()) / f"token-burn-bench-{os.getuid()}"
    program = cache / f"truth-{sha256(b''.join(source.read_bytes() for source in SOURCES)).hexdigest()[:16]}"
    if program.exists():
        return program
    compiler = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("cc")
    if compiler is None:
        raise BuildError("no C compiler found: install gcc (Debian: apt-get install gcc libc6-dev)")
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = program.with_suffix(f".{os.getpid()}")
    built = subprocess.run(
        [compiler, "-O2", "-Wall", "-o", partial, SOURCE], capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise BuildError(f"{compiler} could not build {SOURCE.name}:\n{built.stderr}")
    partial.rename(program)
    return program


@contextmanager
def truth(ttft_ms: float, itl_ms: float, tokens: int, *, core: int | None = None, port: int = 0) -> Iterator[Truth]:
    """A server bound to `core`, stopped at the end; its counts are in the yielded object after that."""
    argv: list[str | Path] = [build(), str(port), str(ttft_ms), str(itl_ms), str(tokens)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, preexec_fn=pin(core))  # noqa: PLW1509 - no threads
    assert child.stdout is not None
    try:
        running = Truth(port=json.loads(child.stdout.readline())["port"], pid=child.pid)
        yield running
        child.terminate()
        running.counts = json.loads(child.stdout.readline())
        child.wait(STOP_S)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        child.wait()
        child.stdout.close()
