"""An engine as a child process: order on stdin, events from stdout, heartbeat, end.

The heartbeat runs in a thread of its own, because a database that makes the supervisor wait must not stop the engine.
The same thread is the dead man's switch: if nobody calls `keep` for `orphan_s`, it tells the engine to stop.
"""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

import orjson
from django.conf import settings

from connectors.security.vault import redactor_of
from metrics.end_codes import STOPPED_ENDS, EndCode
from runs.engine.core.messages import (
    Beat,
    ChangeLoad,
    FatalEvent,
    Go,
    LevelChange,
    Message,
    ReadyEvent,
    Stop,
    read_event,
)
from runs.engine.core.shard_spec import ShardSpec

logger = logging.getLogger(__name__)
BEAT_S = 2.0
PAUSE_S = 3.0
"""A heartbeat that is this late means that this process was suspended, perhaps with the whole machine."""
RESUME_S = 5.0
"""Time in which a supervisor that was suspended must renew its lease; if another has taken the shard, it finds out
then."""
KEPT_STDERR_LINES = 20
LAST_WORDS_S = 1.0
"""A grandchild may keep its stderr open."""
# The part of the environment that an engine needs. It has no keys and no database passwords. By the last variable,
# coverage.py tells child processes that they are measured.
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "COVERAGE_PROCESS_CONFIG",
)


class Ready(NamedTuple):
    pid: int
    timestamps: str
    connections: int | None = None
    """Maximum number of connections that it may hold open."""


class Fatal(NamedTuple):
    """The engine refused its order."""

    code: str
    message: str
    advice: str


class Done(NamedTuple):
    end_code: str
    reason: str


class Exited(NamedTuple):
    """Its stdout has closed and the process is gone. Always the last event."""

    returncode: int


Event = Ready | Fatal | Done | Exited


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` that an engine gets."""
    return {name: environ[name] for name in PASSED_ON if name in environ} | {"PYTHONUNBUFFERED": "1"}


class EngineProcess:
    """Started by the constructor; `close` must be called. Only `events` may be used by several threads."""

    def __init__(self, spec: ShardSpec, command: tuple[str, ...] = (), orphan_s: float = 25.0) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.stop_reason = ""
        self._redact = redactor_of(spec.target)
        self._stderr: deque[str] = deque(maxlen=KEPT_STDERR_LINES)
        self._orphan_s = orphan_s
        self._kept_at = time.monotonic()
        self._writing = threading.Lock()
        self._over = threading.Event()
        # A new session, so that Ctrl-C reaches only the supervisor, which stops the engine cleanly.
        self._process = subprocess.Popen(
            command or (sys.executable, "-m", "runs.engine"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            env=engine_environment(os.environ),
            start_new_session=True,
        )
        order = spec.model_dump(mode="json") | {"target": spec.target.wire_dict()}
        self._send(order)
        self._words = threading.Thread(target=self._read_stderr, daemon=True)
        others = (threading.Thread(target=target, daemon=True) for target in (self._read_events, self._beat))
        self._threads = [self._words, *others]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def keep(self) -> None:
        """The supervisor still holds its lease: restart the dead man's switch."""
        self._kept_at = time.monotonic()

    def go(self, start_mono_ns: int, clock_error_ns: int = 0) -> None:
        """Begin at this time of this host's CLOCK_MONOTONIC, which may differ from the agreed time by
        `clock_error_ns`."""
        self._tell(Go(start_mono_ns=start_mono_ns, clock_error_ns=clock_error_ns))

    def change_load(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """All changes of the load so far: [{at_s, level}], in order."""
        self._tell(ChangeLoad(changes=tuple(LevelChange.model_validate(change) for change in changes)))

    def stop(self, reason: str, code: EndCode = EndCode.STOPPED, run_code: str = "") -> None:
        """Send no new request within 1 s; the engine ends within about 3 s. The first reason is kept. `code` says how
        the engine's load ends, `run_code` how the whole run does."""
        self.stop_reason = self.stop_reason or reason
        word = "stopped" if code in STOPPED_ENDS else code
        self._tell(Stop(end_code=code, run_end_code=run_code, reason=f"{word}: {reason}"))

    def finish(self, grace_s: float) -> None:
        """End the load early: no new request; answers in flight get `grace_s`, as at its regular end."""
        self._tell(Stop(end_code=EndCode.DONE, reason="done", grace_s=grace_s))

    def kill(self) -> None:
        """Immediately; the ledger and its flight table contain what was sent."""
        self._process.kill()

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None after `timeout_s`."""
        try:
            return self.events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def stderr_tail(self) -> str:
        """The end of its stderr on one line, the target's secrets replaced."""
        return " | ".join(line for line in self._stderr if line)[-500:]

    def close(self, grace_s: float = 3.0) -> int:
        """End the process, by force if it does not end within `grace_s`, and its threads. Returns its exit code."""
        self._over.set()
        with self._writing:
            _close_quietly(self._process.stdin)  # the engine treats this as a stop
        for end in (None, self._process.terminate, self._process.kill):
            if end is not None:
                end()
            try:
                self._process.wait(grace_s)
                break
            except subprocess.TimeoutExpired:
                logger.warning("engine_stuck: pid %s does not end", self.pid)
        for thread in self._threads:
            thread.join(grace_s)
        _close_quietly(self._process.stdout)
        _close_quietly(self._process.stderr)
        return self._process.returncode

    def _tell(self, command: Message) -> None:
        self._send(command.model_dump(exclude_none=True))

    def _send(self, message: dict[str, Any]) -> None:
        with self._writing:
            stdin = self._process.stdin
            if stdin is None or stdin.closed:
                return
            try:
                stdin.write(orjson.dumps(message) + b"\n")
                stdin.flush()
            except (BrokenPipeError, OSError):
                # It is dying: `Exited` follows.
                logger.debug("engine %s does not read any more", self.pid)

    def _read_events(self) -> None:
        stdout = self._process.stdout
        for line in stdout or ():
            event = self._event(line)
            if event is not None:
                self.events.put(event)
        code = self._process.wait()
        self._words.join(LAST_WORDS_S)  # whoever learns of its end needs its stderr immediately
        self.events.put(Exited(code))

    def _event(self, line: bytes) -> Event | None:
        """The engine redacts its messages. They are redacted again here, because a target's text is untrusted."""
        redact = self._redact.error
        try:
            event = read_event(line)
        except ValueError:
            pass
        else:
            if isinstance(event, ReadyEvent):
                return Ready(event.pid, event.timestamps, event.connections)
            if isinstance(event, FatalEvent):
                return Fatal(event.code, redact(event.message), event.advice)
            return Done(event.end_code, redact(event.reason))
        noise = redact(line.decode("utf-8", "replace"))
        logger.warning("engine_noise: a line on its stdout that is not an event: %.200r", noise)
        return None

    def _read_stderr(self) -> None:
        for line in self._process.stderr or ():
            self._stderr.append(self._redact.error(line.decode("utf-8", "replace").strip())[:500])

    def _beat(self) -> None:
        beaten_at = time.monotonic()
        while not self._over.wait(BEAT_S):
            now = time.monotonic()
            self._tell(Beat())
            unkept_s = now - self._kept_at
            if now - beaten_at > BEAT_S + PAUSE_S:
                logger.warning("resumed: engine %s: its supervisor was paused for %.0f s", self.pid, now - beaten_at)
                self._kept_at = max(self._kept_at, now - self._orphan_s + RESUME_S)
            elif unkept_s > self._orphan_s:
                self.stop(f"its supervisor could not renew the lease for {unkept_s:.0f} s", EndCode.LEASE_LOST)
            beaten_at = now


def _close_quietly(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError:
        logger.debug("closing a pipe of a dead engine")
