"""`python -m runs.engine.witness`: one session on stock client libraries, to check what the engines say.

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
from connectors.mapping import CompiledTarget
from connectors.registry import connector_class, register
from connectors.timeline import Timeline
from connectors.unset import explained
from runs.engine.draws import new_draws, with_drawn
from runs.engine.echoes import Echoes
from runs.engine.flight import FlightTable, flight_path
from runs.engine.pace import PacedWalk
from runs.engine.record import sends_history, turn_line
from runs.engine.spec import ShardSpec
from scenarios.render import CompiledScenario, SayAction, Walk, compile_scenario

PAUSE_S: Final = 0.25
LISTEN_S: Final = 0.5
"""How long, at least, it listens when a conversation is over: an answer that is left over comes then."""
LISTEN_MOST_S: Final = 3.0
LOOK_S: Final = 0.05
FIRST_SESSION: Final = 1_000_000_000
"""Number of its first session: what templates derive from a session's number is none of the load's."""


class Orders:
    """Reads the supervisor's lines in a thread of its own: a turn may block for as long as its deadline."""

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
        time.sleep(1.0)  # for a turn that is about to end; then whatever is in flight ends with the process
        os._exit(0)


class Witness:
    """One session after another; every turn becomes a line of the ledger."""

    def __init__(self, orders: Orders, ledger: int, flight: FlightTable, t0_ns: int, runner: asyncio.Runner) -> None:
        spec = orders.spec
        people = spec.load.people
        target = CompiledTarget(spec.target, params_vary=people.draws_params)
        self._spec = spec
        self._over = orders.over
        self._ledger = ledger
        self._t0_ns = t0_ns
        self._runner = runner
        self._scenarios: list[CompiledScenario] = [compile_scenario(item.scenario) for item in spec.scenarios]
        self._weights = [item.weight for item in spec.scenarios]
        register(spec.connectors)
        self._connector = connector_class(spec.target.protocol, "reference")(target, allow_private=spec.allow_private)
        self._target = target
        self._draws = new_draws(people, spec.seed)
        self._turns = 1  # 0 marks what is not in flight
        self._flight = flight
        self._slot: int | None = None
        self._echoes = Echoes()
        self._longest_s = 0.0
        """Of this conversation's good turns."""
        self._sends_history = sends_history(spec.target)

    def testify(self, end_ns: int | None) -> None:
        """Until the run is over, or `end_ns` (monotonic)."""
        number = FIRST_SESSION
        while not self._over.is_set() and (end_ns is None or time.monotonic_ns() < end_ns):
            self._converse(number, end_ns)
            self._overhear(number)
            number += 1
            if not self._spec.target.reuse_connections or self._connector.goes_on:
                self._wait_for(self._connector.disconnect())
        self._wait_for(self._connector.disconnect())

    def _overhear(self, number: int) -> None:
        """Listen on the connection of a conversation that is over, and note what belonged to no question."""
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
        rng = Random(f"{self._spec.seed}:{number}")  # noqa: S311 - repeatable on purpose
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
        """A conversation as one of the load's people would begin it; how long they think is left out."""
        drawn = self._draws.of(number) if self._draws is not None else None
        if drawn is not None and self._spec.load.people.draws_params:
            params = with_drawn(self._spec.target.params, drawn.model, drawn.params)
            self._connector.target = self._target.with_params(params)
        self._connector.begin(info)
        walk = scenario.walk(rng, info)
        if drawn is None or not drawn.messages:
            return walk
        return cast("Walk", PacedWalk(walk, drawn.messages, None, rng))

    def _said(self, walk: Walk, action: SayAction, session: int) -> bool:
        """Whether the message was answered: after another handshake, if what the last one gave was refused."""
        failure = self._turn(walk, action, session)
        if isinstance(failure, Refused) and self._connector.refresh(failure.status):
            failure = self._turn(walk, action, session)
        return failure is None

    def _turn(self, walk: Walk, action: SayAction, session: int) -> TurnError | None:
        connector, failure = self._connector, None
        planned_ns = time.monotonic_ns()
        timeline = connector.timeline(planned_ns)
        if walk.expect_text is not None:
            timeline.expected = walk.expect_text
        try:
            self._exchange(connector, timeline, walk, action, session, planned_ns)
        except TurnError as exc:
            failure = explained(exc, connector.target.unset_secrets)
        else:
            self._longest_s = max(self._longest_s, (time.monotonic_ns() - timeline.planned_ns) / 1e9)
            if (why := walk.answer(timeline.text)) is not None:
                failure = BadAnswer("expect_failed", why)
        line = turn_line(
            timeline,
            turn=self._turns,
            session=session,
            number=action.number,
            t0_ns=self._t0_ns,
            ended_ns=time.monotonic_ns(),
            failure=failure,
            message=action.text,
            text=timeline.text,
            record_chars=0,
            redact=self._connector.target.redact,
            log=walk.messages if self._sends_history else None,
        )
        self._turns += 1
        if heard := connector.new_unsolicited():
            line["uns"] = heard
        if timeline.text and self._echoes.is_anothers(action.text, timeline.text):
            line["mis"] = 1
        self._write(line)
        if self._slot is not None:
            self._flight.give_back(self._slot)
            self._slot = None
        return failure

    def _exchange(
        self,
        connector: BaseConnector,
        timeline: Timeline,
        walk: Walk,
        action: SayAction,
        session: int,
        planned_ns: int,
    ) -> None:
        if not connector.ready:
            self._wait_for(connector.connect())
        context: dict[str, Any] = {
            "message": action.text,
            "messages": walk.messages,
            "history": walk.history,
            "turn": action.number,
            "vars": walk.variables,
        }
        request = connector.render(context)
        since_ns = (planned_ns - self._t0_ns, time.monotonic_ns() - self._t0_ns)
        self._slot = self._flight.take(self._turns, session, action.number, *since_ns)
        self._wait_for(connector.send_message(request, timeline))
        connector.took(timeline)

    def _wait_for(self, pending: Awaitable[None] | None) -> None:
        """A user's own connector may be asynchronous on both lanes."""
        if pending is not None:
            self._runner.run(_awaited(pending))


async def _awaited(pending: Awaitable[None]) -> None:
    await pending


def main() -> NoReturn:
    orders = Orders()
    path = Path(orders.spec.ledger_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    fcntl.flock(ledger, fcntl.LOCK_EX | fcntl.LOCK_NB)
    flight = FlightTable(flight_path(path))
    with asyncio.Runner() as runner:
        t0_ns = orders.wait_for_go()
        if orders.over.is_set():
            os._exit(0)
        witness = Witness(orders, ledger, flight, t0_ns, runner)
        orders.over.wait(max(0.0, (t0_ns - time.monotonic_ns()) / 1e9))
        duration_s = orders.spec.load.duration_s
        witness.testify(None if duration_s is None else t0_ns + int(duration_s * 1e9))
    os._exit(0)  # without waiting for the thread that reads


if __name__ == "__main__":
    main()
