"""One engine as a child process: its order on stdin, its events from stdout, its heartbeat, its end.

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

from connectors.redact import Redactor
from runs.engine.spec import ShardSpec

logger = logging.getLogger(__name__)
BEAT_S = 2.0
PAUSE_S = 3.0
"""A heartbeat that comes so much too late means that this process stood still, perhaps with the whole machine."""
RESUME_S = 5.0
"""How long a supervisor that stood still has to renew its lease: if another has taken the shard, it learns it then."""
LEASE_LOST = "lease_lost"
"""The first word of the ledger's last line when the engine was stopped because of it."""
KEPT_STDERR_LINES = 20
LAST_WORDS_S = 1.0
"""A grandchild may keep its stderr open."""
# What an engine needs of its environment. Keys and database passwords are not in it.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Ready(NamedTuple):
    pid: int
    timestamps: str
    connections: int | None = None
    """How many it may hold open."""


class Fatal(NamedTuple):
    """The engine refused its order."""

    code: str
    message: str
    advice: str


class Done(NamedTuple):
    reason: str


class Exited(NamedTuple):
    """Its stdout has closed and the process is gone. Always the last event."""

    returncode: int


Event = Ready | Fatal | Done | Exited


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` that an engine gets."""
    return {name: environ[name] for name in PASSED_ON if name in environ} | {"PYTHONUNBUFFERED": "1"}


class EngineProcess:
    """Started by the constructor; `close` must be called. Not for use by more than one thread but `events`."""

    def __init__(self, spec: ShardSpec, command: tuple[str, ...] = (), orphan_s: float = 25.0) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.stop_reason = ""
        self._redact = Redactor(value.get_secret_value() for value in spec.target.secrets.values())
        self._stderr: deque[str] = deque(maxlen=KEPT_STDERR_LINES)
        self._orphan_s = orphan_s
        self._kept_at = time.monotonic()
        self._writing = threading.Lock()
        self._over = threading.Event()
        # A session of its own: a Ctrl-C on the terminal reaches the supervisor only, which stops the engine in order.
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
        """The supervisor holds its lease: the dead man's switch starts anew."""
        self._kept_at = time.monotonic()

    def go(self, start_mono_ns: int, clock_error_ns: int = 0) -> None:
        """Begin at this time of this host's CLOCK_MONOTONIC, which may miss the agreed time by `clock_error_ns`."""
        self._send({"cmd": "go", "start_mono_ns": start_mono_ns, "clock_error_ns": clock_error_ns})

    def change_load(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """All changes of the load so far: [{at_s, level}], in order."""
        told = [{"at_s": change["at_s"], "level": change["level"]} for change in changes]
        self._send({"cmd": "load", "changes": told})

    def stop(self, reason: str, word: str = "stopped") -> None:
        """No new request within 1 s; the engine ends within about 3 s. The first reason is kept. `word` begins what the
        ledger says of it: a load that is stopped on purpose is `stopped`."""
        self.stop_reason = self.stop_reason or reason
        self._send({"cmd": "stop", "reason": f"{word}: {reason}"})

    def finish(self, grace_s: float) -> None:
        """The load is over before its time: no new request, and answers in flight get `grace_s`, as at its end."""
        self._send({"cmd": "stop", "reason": "done", "grace_s": grace_s})

    def kill(self) -> None:
        """At once; the ledger and its flight table tell what was sent."""
        self._process.kill()

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None after `timeout_s`."""
        try:
            return self.events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def last_words(self) -> str:
        """The end of its stderr on one line, the target's secrets replaced."""
        return " | ".join(line for line in self._stderr if line)[-500:]

    def close(self, grace_s: float = 3.0) -> int:
        """End the process, by force if it does not end within `grace_s`, and its threads. Returns its exit code."""
        self._over.set()
        with self._writing:
            _close_quietly(self._process.stdin)  # the engine takes this for a stop
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

    def _send(self, message: dict[str, Any]) -> None:
        with self._writing:
            stdin = self._process.stdin
            if stdin is None or stdin.closed:
                return
            try:
                stdin.write(orjson.dumps(message) + b"\n")
                stdin.flush()
            except (BrokenPipeError, OSError):
                # It is dying: `Exited` tells the rest.
                logger.debug("engine %s does not read any more", self.pid)

    def _read_events(self) -> None:
        stdout = self._process.stdout
        for line in stdout or ():
            event = self._event(line)
            if event is not None:
                self.events.put(event)
        code = self._process.wait()
        self._words.join(LAST_WORDS_S)  # who hears of its end asks at once why
        self.events.put(Exited(code))

    def _event(self, line: bytes) -> Event | None:
        """The engine redacts what it says. Here it is done again: a target's text is a stranger's."""
        redact = self._redact.error
        try:
            data = orjson.loads(line)
            match data["ev"]:
                case "ready":
                    return Ready(int(data["pid"]), str(data["timestamps"]), data.get("connections"))
                case "fatal":
                    return Fatal(str(data["code"]), redact(str(data["message"])), str(data.get("advice") or ""))
                case "done":
                    return Done(redact(str(data["reason"])))
        except (ValueError, KeyError, TypeError):
            pass
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
            self._send({"cmd": "beat"})
            unkept_s = now - self._kept_at
            if now - beaten_at > BEAT_S + PAUSE_S:
                logger.warning("resumed: engine %s: its supervisor stood still for %.0f s", self.pid, now - beaten_at)
                self._kept_at = max(self._kept_at, now - self._orphan_s + RESUME_S)
            elif unkept_s > self._orphan_s:
                self.stop(f"its supervisor could not renew the lease for {unkept_s:.0f} s", LEASE_LOST)
            beaten_at = now


def _close_quietly(stream: IO[bytes] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except OSError:
        logger.debug("closing a pipe of a dead engine")
