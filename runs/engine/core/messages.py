"""The lines between an engine and its supervisor, version PROTOCOL_VERSION: commands on stdin, events on stdout.

Read with `read_command` and `read_event`; published as JSON Schema in `docs/schemas/`. docs/engine.md says what each
one does. The order, an engine's first line, is a ShardSpec. Keys that are not known are passed over, and what an
earlier version left out has a default: after an update a supervisor and its engine may be of two versions.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

PROTOCOL_VERSION: Final = 1


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Go(Message):
    """Begin at this CLOCK_MONOTONIC time of this host."""

    cmd: Literal["go"] = "go"
    start_mono_ns: int
    clock_error_ns: int = 0


class LevelChange(Message):
    at_s: float
    level: float


class ChangeLoad(Message):
    """All changes of the load since the common start, in order."""

    cmd: Literal["load"] = "load"
    changes: tuple[LevelChange, ...]


class Beat(Message):
    """The supervisor is alive."""

    cmd: Literal["beat"] = "beat"


class Stop(Message):
    """Send no new request. Codes are those of `metrics.end_codes`: `end_code` says how the engine's load ends,
    `run_end_code` why its run was stopped. If they are empty, the sender knows no codes, and `reason` says it."""

    cmd: Literal["stop"] = "stop"
    end_code: str = ""
    run_end_code: str = ""
    reason: str = "stopped"
    grace_s: float | None = Field(None, ge=0)
    """For turns in flight; None: the engine's own default."""


class ReadyEvent(Message):
    """The order is understood."""

    ev: Literal["ready"] = "ready"
    pid: int
    timestamps: str
    connections: int | None = None
    """Maximum number of open connections."""


class DoneEvent(Message):
    """Everything is in the ledger."""

    ev: Literal["done"] = "done"
    end_code: str = ""
    reason: str


class FatalEvent(Message):
    """The engine cannot work."""

    ev: Literal["fatal"] = "fatal"
    code: str
    message: str
    advice: str = ""


Command = Annotated[Go | ChangeLoad | Beat | Stop, Field(discriminator="cmd")]
Event = Annotated[ReadyEvent | DoneEvent | FatalEvent, Field(discriminator="ev")]
commands: Final[TypeAdapter[Any]] = TypeAdapter(Command)
events: Final[TypeAdapter[Any]] = TypeAdapter(Event)


def read_command(line: dict[str, Any]) -> Go | ChangeLoad | Beat | Stop:
    """Raises ValueError for a line that is not a command."""
    found: Go | ChangeLoad | Beat | Stop = commands.validate_python(line)
    return found


def read_event(line: bytes) -> ReadyEvent | DoneEvent | FatalEvent:
    """Raises ValueError for a line that is not an event."""
    found: ReadyEvent | DoneEvent | FatalEvent = events.validate_json(line)
    return found
