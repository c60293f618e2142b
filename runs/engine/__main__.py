"""`python -m runs.engine`: one engine process. It knows no Django, no Celery and no database.

It reads its order on stdin, says `ready`, waits for `go`, holds the load, writes the ledger, says `done`. It stops by
itself when stdin closes or the supervisor is silent (see `runs.engine.silence`).
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from connectors.security.redact import RedactedStream, Redactor
from connectors.spec import SpecError, spec_problems
from connectors.wire.transport.clock import keep_stamping, probe
from connectors.wire.transport.sources import leave_from
from metrics.end_codes import EndCode, end_code_of
from runs.engine.control_channel import Command, Control, say
from runs.engine.core.messages import Beat, ChangeLoad, Go, Stop, read_command
from runs.engine.core.shard_spec import ShardSpec
from runs.engine.drivers import Change
from runs.engine.fd_limits import ADVICE, most_connections
from runs.engine.malloc import keep_freed_memory
from runs.engine.recording.ledger import Ledger
from runs.engine.rehearsal import rehearse
from runs.engine.shard import STOP_GRACE_S, Shard
from runs.engine.silence import LOOK_S, SILENCE_S, Silence
from scenarios.definition.spec import ScenarioError

FATAL: Final = 3


class FatalError(Exception):
    """The engine cannot do its work; `code`, the message and advice go to the supervisor."""

    def __init__(self, code: str, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice


class Engine:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._control = Control(self._loop)
        self._order: asyncio.Future[Command] = self._loop.create_future()
        self._go: asyncio.Future[int | None] = self._loop.create_future()
        self._clock_error_ns = 0
        self._shard: Shard | None = None
        self._most = 0
        self._disk: OSError | None = None
        self._redact = Redactor()

    async def serve(self) -> None:
        """Raises FatalError."""
        self._control.listen(self._command, self._eof)
        order = await self._order
        if not order:
            return  # the supervisor went away before it said anything
        self._hide_secrets(order)
        spec = _parse(order)
        self._shard = Shard(spec)
        self._most = most_connections()
        self._check_files()
        self._shard.prepare()
        await rehearse(spec)
        _spare_collections()
        _leave_from(spec.source_addresses)
        stamps = "user" if self._shard.user_stamps else probe()
        say({"ev": "ready", "pid": os.getpid(), "timestamps": stamps, "connections": self._most})
        t0_ns = await self._go
        if t0_ns is None:
            say({"ev": "done", "reason": "stopped", "end_code": EndCode.STOPPED})
            return
        ledger = self._open_ledger(spec)
        ledger.append(_head(spec, t0_ns, stamps, self._clock_error_ns, self._shard.target.tells_by_id))
        listening = self._loop.create_task(self._expect_heartbeats())
        await self._shard.run(t0_ns, ledger)
        listening.cancel()
        ledger.close()
        if self._disk is not None:
            raise FatalError("ledger_failed", f"the ledger cannot be written: {self._disk}", "free space on its disk")
        if self._shard.crash is not None:
            traceback.print_exception(self._shard.crash)
        say({"ev": "done", "reason": self._shard.reason, "end_code": self._shard.end_code})

    def _check_files(self) -> None:
        """Raises FatalError if the system allows fewer open files than the number of concurrent users."""
        if self._shard is None or self._shard.driver.level.peak <= self._shard.driver.most_level(self._most):
            return
        message = f"its share of {self._shard.driver.level.peak:g} users needs more open files than the system allows"
        raise FatalError("local_resources", message, ADVICE)

    def fatal(self, code: str, message: str, advice: str = "") -> None:
        """Report to the supervisor that the engine cannot work."""
        say({"ev": "fatal", "code": code, "message": self._redact.error(message), "advice": advice})

    def _hide_secrets(self, order: Command) -> None:
        """From here on, nothing that this process writes contains a secret of the target."""
        target = order.get("target")
        values = target.get("secrets") if isinstance(target, dict) else None
        self._redact = Redactor(map(str, values.values()) if isinstance(values, dict) else ())
        if self._redact:
            sys.stderr = RedactedStream(sys.stderr, self._redact)

    def _open_ledger(self, spec: ShardSpec) -> Ledger:
        try:
            return Ledger(Path(spec.ledger_path), self._disk_failed)
        except FileExistsError as exc:
            raise FatalError("ledger_exists", f"{spec.ledger_path} exists: this shard has run before") from exc
        except OSError as exc:
            raise FatalError("ledger_failed", f"cannot write {spec.ledger_path}: {exc.strerror}") from exc

    def _disk_failed(self, exc: OSError) -> None:
        self._disk = exc
        self._end(EndCode.LEDGER_FAILED, f"aborted: ledger_failed: {exc.strerror}", 0.0)

    def _command(self, command: Command) -> None:
        if not self._order.done():
            self._order.set_result(command)
            return
        try:
            self._obey(read_command(command))
        except ValueError as exc:  # perhaps of another version: the load continues
            sys.stderr.write(f"unknown command: {spec_problems(exc)}\n")

    def _obey(self, command: Go | ChangeLoad | Beat | Stop) -> None:
        if isinstance(command, Go) and not self._go.done():
            self._clock_error_ns = command.clock_error_ns
            self._go.set_result(command.start_mono_ns)
        elif isinstance(command, Stop):
            self._stop(command)
        elif isinstance(command, ChangeLoad) and self._shard is not None:
            changes = [Change(each.at_s, each.level) for each in command.changes]
            self._shard.driver.change(changes, self._most)

    def _eof(self) -> None:
        if not self._order.done():
            self._order.set_result({})
        self._end(EndCode.SUPERVISOR_GONE, "supervisor_gone", 0.0)

    def _stop(self, command: Stop) -> None:
        """A supervisor of an earlier version, which may still run after an update, sends no codes."""
        reason = command.reason
        code = end_code_of(command.end_code, reason) or EndCode.STOPPED
        why = end_code_of(command.run_end_code, reason.removeprefix("stopped: "))
        self._end(EndCode(code), reason, STOP_GRACE_S if command.grace_s is None else command.grace_s, why)

    def _end(self, code: EndCode, reason: str, grace_s: float, run_code: str = "") -> None:
        if not self._go.done():
            self._go.set_result(None)
        elif self._shard is not None:
            self._shard.end(code, reason, grace_s, run_code=run_code)

    async def _expect_heartbeats(self) -> None:
        silence = Silence(time.monotonic_ns())
        while True:
            self._control.read()  # timers take precedence over data in the pipe
            if silence.seconds(time.monotonic_ns(), self._control.heard_ns) >= SILENCE_S:
                break
            await asyncio.sleep(LOOK_S)
        self._end(EndCode.SUPERVISOR_SILENT, "supervisor_silent", 0.0)


def _spare_collections() -> None:
    """Existing objects stay alive. Turns are freed by reference count, so collections are rare and short."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _leave_from(addresses: Sequence[str]) -> None:
    try:
        leave_from(addresses)
    except OSError as exc:
        advice = "TOKENBURN_SOURCE_ADDRESSES must name addresses of this host"
        raise FatalError(
            "local_resources", f"no connection can leave from {exc.filename}: {exc.strerror}", advice
        ) from exc


def _parse(order: Command) -> ShardSpec:
    try:
        return ShardSpec.model_validate(order)
    except ValueError as exc:
        raise FatalError("order_invalid", spec_problems(exc)) from exc


def _head(spec: ShardSpec, t0_ns: int, stamps: str, clock_error_ns: int, correlates: bool) -> Command:
    return {
        "k": "head",
        "v": 1,
        "run": spec.run_id,
        "shard": spec.shard_id,
        "index": spec.index,
        "of": spec.of,
        "id_base": spec.id_base,
        "t0_mono_ns": t0_ns,
        "late_ns": max(0, time.monotonic_ns() - t0_ns),
        "clock_error_ns": clock_error_ns,
        "t0_wall_ns": time.time_ns() - time.monotonic_ns() + t0_ns,
        "timestamps": stamps,
        "correlates": correlates,
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }


async def _main() -> int:
    engine = Engine()
    try:
        await engine.serve()
    except (SpecError, ScenarioError) as exc:
        engine.fatal("order_invalid", str(exc))
    except FatalError as exc:
        engine.fatal(exc.code, str(exc), exc.advice)
    else:
        return 0
    return FATAL


if __name__ == "__main__":
    keep_freed_memory()
    kept = keep_stamping()
    sys.exit(uvloop.run(_main()))
