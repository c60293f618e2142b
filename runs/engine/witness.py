"""`python -m runs.engine.witness`: one session on independent client libraries that checks the engines' figures.

It takes an engine's order and commands (docs/engine.md) and holds one conversation after another with the same
scenarios on the reference lane, at most a turn every `PAUSE_S`: it is there to compare, not to load. Its ledger has
the lines of any other, a table of the turns in flight beside it, and is never stored with theirs. It ends with the run,
and at once when its stdin closes.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import threading
import time
from collections.abc import Awaitable
from pathlib import Path
from random import Random
from typing import Any, Final, NoReturn, cast

import orjson

from connectors.base import BaseConnector
from connectors.errors import BadAnswer, Refused, TurnError
from connectors.mapping.unset import explained
from connectors.registry import connector_class, register
from connectors.target import CompiledTarget
from runs.engine.core.shard_spec import ShardSpec
from runs.engine.echoes import Echoes
from runs.engine.recording.in_flight import FlightTable, flight_path
from runs.engine.recording.turn_record import TurnLines, TurnRecord, sends_history
from runs.load.draws.pacing import PacedWalk
from runs.load.draws.sampling import new_draws, with_drawn
from scenarios.render.walk import CompiledScenario, SayAction, Walk, compile_scenario

PAUSE_S: Final = 0.25
LISTEN_S: Final = 0.5
"""Minimum time for which it listens after a conversation: that is when a surplus answer arrives."""
LISTEN_MOST_S: Final = 3.0
LOOK_S: Final = 0.05
FIRST_SESSION: Final = 1_000_000_000
"""Number of its first session, so that templates get other session numbers than those of the load."""


class ControlReader:
    """Reads the supervisor's lines in its own thread, because a turn may block until its deadline."""

    def __init__(self) -> None:
        self.spec = ShardSpec.model_validate(orjson.loads(sys.stdin.buffer.readline()))
        self.over = threading.Event()
        self._go = threading.Event()
        self._start_ns = 0
        self.ended_at: float | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_for_go(self) -> int:
        """The agreed start (monotonic ns); 0 if there is none."""
        self._go.wait()
        return self._start_ns

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            command = orjson.loads(line)
            if command.get("cmd") == "go":
                self._start_ns = int(command["start_mono_ns"])
                self._go.set()
            elif command.get("cmd") == "stop":
                break
        self.over.set()
        self._go.set()
        time.sleep(1.0)  # time for a turn that is about to end; then anything in flight ends with the process
        os._exit(0)


class Witness:
    """One session after another; every turn becomes a line of the ledger."""

    def __init__(
        self, control: ControlReader, ledger: int, flight: FlightTable, t0_ns: int, runner: asyncio.Runner
    ) -> None:
        spec = control.spec
        users = spec.load.user_profile
        target = CompiledTarget(spec.target, params_vary=users.draws_params)
        self._spec = spec
        self._over = control.over
        self._ledger = ledger
        self._t0_ns = t0_ns
        counts_history = sends_history(spec.target)
        self._lines = TurnLines(target.redact, 0, counts_history=counts_history, t0_ns=t0_ns)
        self._runner = runner
        self._scenarios: list[CompiledScenario] = [compile_scenario(item.scenario) for item in spec.scenarios]
        self._weights = [item.weight for item in spec.scenarios]
        register(spec.connectors)
        self._connector = connector_class(spec.target.protocol, "reference")(target, allow_private=spec.allow_private)
        self._target = target
        self._draws = new_draws(users, spec.seed)
        self._turns = 1  # 0 marks unused slots
        self._flight = flight
        self._echoes = Echoes()
        self._longest_s = 0.0
        """The longest good turn of this conversation."""

    def run(self, end_ns: int | None) -> None:
        """Hold conversations until the run is over, or until `end_ns` (monotonic)."""
        number = FIRST_SESSION
        while not self._over.is_set() and (end_ns is None or time.monotonic_ns() < end_ns):
            self._converse(number, end_ns)
            if self._target.farewell is not None:
                self._connector.say_farewell()  # the load's conversations record what goes wrong
            self._listen_after_end(number)
            number += 1
            if not self._spec.target.reuse_connections or self._connector.persistent:
                self._wait_for(self._connector.disconnect())
        self._wait_for(self._connector.disconnect())

    def _listen_after_end(self, number: int) -> None:
        """Listen on the connection of a finished conversation, and record messages that belong to no question."""
        connector = self._connector
        if self._target.correlates or not connector.lasting or self._longest_s == 0:
            return
        until_s = time.monotonic() + min(max(3 * self._longest_s, LISTEN_S), LISTEN_MOST_S)
        while time.monotonic() < until_s and connector.ready:
            if self._over.wait(LOOK_S):
                break
        if heard := connector.new_unsolicited():
            self._write({"k": "uns", "s": number, "at": time.monotonic_ns() - self._t0_ns, "n": heard})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._ledger, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _converse(self, number: int, end_ns: int | None) -> None:
        rng = Random(f"{self._spec.seed}:{number}")
        scenario = rng.choices(self._scenarios, self._weights)[0]
        info = {"id": f"tb-{self._spec.run_id}-w{number}", "number": number, "user": -1}
        walk = self._begin(scenario, rng, info, number)
        self._echoes.begin()
        self._longest_s = 0.0
        while (action := walk.next_action()) is not None:
            if self._over.wait(PAUSE_S if isinstance(action, SayAction) else action.seconds):
                return
            if end_ns is not None and time.monotonic_ns() >= end_ns:
                return
            if isinstance(action, SayAction) and not self._said(walk, action, number):
                return

    def _begin(self, scenario: CompiledScenario, rng: Random, info: dict[str, Any], number: int) -> Walk:
        """A conversation as a user of the load would begin it, without think times."""
        drawn = self._draws.of(number) if self._draws is not None else None
        if drawn is not None and self._spec.load.user_profile.draws_params:
            params = with_drawn(self._spec.target.params, drawn.model, drawn.params)
            self._connector.target = self._target.with_params(params)
        self._connector.begin(info)
        walk = scenario.walk(rng, info)
        if drawn is None or not drawn.messages:
            return walk
        return cast("Walk", PacedWalk(walk, drawn.messages, None, rng))

    def _said(self, walk: Walk, action: SayAction, session: int) -> bool:
        """Whether the message was answered. If a saved value was refused, repeats the handshake first."""
        failure = self._turn(walk, action, session)
        if isinstance(failure, Refused) and self._connector.refresh(failure.status):
            failure = self._turn(walk, action, session)
        return failure is None

    def _turn(self, walk: Walk, action: SayAction, session: int) -> TurnError | None:
        connector = self._connector
        turn = TurnRecord(connector.timeline(time.monotonic_ns()), session, action)
        timeline = turn.timeline
        turn.id = self._turns
        self._turns += 1
        if walk.expect_text is not None:
            timeline.expected = walk.expect_text
        try:
            self._exchange(connector, turn, walk)
        except TurnError as exc:
            turn.failure = explained(exc, connector.target.unset_secrets)
        else:
            self._longest_s = max(self._longest_s, (time.monotonic_ns() - timeline.planned_ns) / 1e9)
            if (why := walk.answer(timeline.text)) is not None:
                turn.failure = BadAnswer("expect_failed", why)
        done_ns = timeline.done_ns
        turn.ended_ns = time.monotonic_ns() if turn.failure is not None or done_ns is None else done_ns
        self._record(turn, walk)
        return turn.failure

    def _exchange(self, connector: BaseConnector, turn: TurnRecord, walk: Walk) -> None:
        """Send the request of `turn` and wait for its answer. Raises TurnError."""
        if not connector.ready:
            self._wait_for(connector.connect())
        context: dict[str, Any] = {
            "message": turn.message,
            "messages": walk.messages,
            "history": walk.history,
            "turn": turn.number,
            "vars": walk.variables,
        }
        self._target.attach(context, turn.attachments)
        request = connector.render(context)
        since_ns = (turn.timeline.planned_ns - self._t0_ns, time.monotonic_ns() - self._t0_ns)
        turn.slot = self._flight.take(turn.id, turn.session, turn.number, *since_ns)
        self._wait_for(connector.send_message(request, turn.timeline))
        connector.finish_turn(turn.timeline)

    def _record(self, turn: TurnRecord, walk: Walk) -> None:
        timeline = turn.timeline
        line = self._lines.line(turn, walk.messages)
        if heard := self._connector.new_unsolicited() + timeline.has_unsolicited_text:
            line["uns"] = heard
        if timeline.text and self._echoes.is_anothers(turn.message, timeline.text):
            line["mis"] = 1
        self._write(line)
        if turn.slot is not None:
            self._flight.give_back([turn.slot])

    def _wait_for(self, pending: Awaitable[None] | None) -> None:
        """A custom connector may be asynchronous on both lanes."""
        if pending is not None:
            self._runner.run(_awaited(pending))


async def _awaited(pending: Awaitable[None]) -> None:
    await pending


def main() -> NoReturn:
    control = ControlReader()
    path = Path(control.spec.ledger_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    fcntl.flock(ledger, fcntl.LOCK_EX | fcntl.LOCK_NB)
    flight = FlightTable(flight_path(path))
    with asyncio.Runner() as runner:
        t0_ns = control.wait_for_go()
        if control.over.is_set():
            os._exit(0)
        witness = Witness(control, ledger, flight, t0_ns, runner)
        control.over.wait(max(0.0, (t0_ns - time.monotonic_ns()) / 1e9))
        duration_s = control.spec.load.duration_s
        witness.run(None if duration_s is None else t0_ns + int(duration_s * 1e9))
    os._exit(0)  # without waiting for the thread that reads


if __name__ == "__main__":
    main()
