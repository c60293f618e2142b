"""Narrow protocols through which the parts of an engine access their shard.

The shard fulfils all of them. Users, drivers and self-metrics import these contracts and not the shard, so that each
can be read and tested alone, and no import goes in a circle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from connectors.base import BaseConnector
from connectors.errors import TurnError, Unanswered
from connectors.handshake.farewell import Parting
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from metrics.end_codes import EndCode
from runs.engine.core.budget_meter import BudgetMeter, Spender
from runs.engine.core.session import Session
from runs.engine.core.shard_spec import ShardSpec
from runs.engine.core.turn_cap import TurnCap
from runs.engine.core.waiting import Waiter, Waits
from runs.engine.recording.ledger import Ledger
from runs.engine.recording.turn_record import TurnLines
from scenarios.definition.spec import ScenarioError


class VirtualUser(Waiter, Spender, Protocol):
    """A simulated user, as the shard and its driver see it."""

    number: int
    in_flight: bool
    """A request has been sent, and its answer is not complete."""
    leaving: bool
    """Set by the driver: the user ends the conversation before the next turn."""
    needs_rest: bool
    """Whether to call `rest` before the next conversation."""

    async def converse(self, planned_ns: int, session: Session) -> int:
        """Hold one conversation, planned to begin at `planned_ns` (monotonic); return when it ended."""

    async def rest(self, ended_ns: int) -> int:
        """Pause after failures; return when the next conversation is planned (monotonic ns)."""

    async def leave(self) -> None:
        """Close the connection."""


class LoadContext(Protocol):
    """State of the load."""

    spec: ShardSpec
    ledger: Ledger
    t0_ns: int
    """When the load began (monotonic)."""
    stopping: bool
    """No new turn may begin."""
    end_code: EndCode
    """How the load ends; DONE until another end is known."""


class Listener(Protocol):
    """Listens on connections whose conversation is over."""

    def take(self, connector: BaseConnector, session: Session, longest_ns: int) -> bool:
        """Listen on `connector` and close it then; False: the caller must close it."""


class UserContext(LoadContext, Protocol):
    """What a user needs: a connector, the limits of the load, and where to report."""

    target: CompiledTarget
    reuse_connections: bool
    names_history: bool
    attaches: bool
    grouped: bool
    lines: TurnLines
    budget: BudgetMeter | None
    turn_cap: TurnCap | None
    waits: Waits

    @property
    def late_listener(self) -> Listener | None:
        """None if answers are assigned to questions by id."""

    def new_connector(self) -> BaseConnector: ...

    def new_turn_id(self) -> int: ...

    def opened(self, session: Session, user: int, planned_ns: int) -> int:
        """A conversation begins; return when, in ns since the start."""

    def closed(
        self,
        session: Session,
        began: int,
        outcome: str,
        code: str | None,
        turns: int,
        parting: Parting | None = None,
    ) -> None:
        """A conversation has ended. `parting`: what was asked after its last turn."""

    def took_failure(self, failure: TurnError) -> None:
        """A turn has failed."""

    def scenario_failed(self, exc: ScenarioError) -> None:
        """A template could not be rendered."""

    def unanswered(self, timeline: Timeline) -> Unanswered | None:
        """The failure of a turn that is ended now without an answer; None: it was only stopped."""


class DriverContext(LoadContext, Protocol):
    """What a driver needs: users, their conversations, and tasks to hold them in."""

    active: int
    """Open sessions."""
    dropped: int
    """Arrivals that were due and did not begin."""

    def start(self, work: Coroutine[Any, Any, None], user: VirtualUser | None) -> asyncio.Task[None]:
        """Start a task of the load; `user` is the one whose conversation it holds."""

    def new_user(self, number: int) -> VirtualUser: ...

    def new_session(self, user: int, number: int | None = None) -> Session: ...


class MetricsContext(LoadContext, Protocol):
    """What self-metrics report in addition to the process's own figures."""

    active: int
    dropped: int
    waits: Waits

    @property
    def in_flight(self) -> int:
        """Turns whose requests were sent and whose answers are not complete."""

    def overdue(self) -> tuple[int, int]:
        """Number of turns that wait too long, and of those that already did `grace_s` ago."""

    def lower_bounds(self) -> list[list[int]]:
        """Waits in flight that no answer can shorten (see `Waits.bounds`)."""

    def end_vain_grace(self) -> None:
        """End the grace once no turn in flight will be answered."""
