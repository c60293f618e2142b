"""Why an engine process ended: from its last message, exit code and stderr."""

from __future__ import annotations

from typing import NamedTuple

from runs.supervisor.engine_process import Done, Event, Exited, Fatal, Ready


class EngineExit(NamedTuple):
    """`words`: the end of its stderr, on one line."""

    fatal: Fatal | None
    exited: Exited | None
    words: str

    def why(self, when: str) -> str:
        """The reason of a shard whose engine ended unexpectedly. `when` ends the sentence."""
        if self.fatal is not None:
            advice = f": {self.fatal.advice}" if self.fatal.advice else ""
            return f"{self.fatal.code}: {self.fatal.message}{advice}"
        code = self.exited.returncode if self.exited else None
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with code {code}"
        return f"its engine {how} {when}" + (f": {self.words}" if self.words else "")


class EngineEvents:
    """What an engine process has reported about itself so far."""

    def __init__(self) -> None:
        self.ready: Ready | None = None
        self.fatal: Fatal | None = None
        self.done = False
        self.exited: Exited | None = None

    def note(self, event: Event | None) -> None:
        """Keep `event`; None: there was none."""
        match event:
            case Ready():
                self.ready = event
            case Fatal():
                self.fatal = event
            case Done():
                self.done = True
            case Exited():
                self.exited = event

    @property
    def left_in_order(self) -> bool:
        """It ended by itself without reporting an error."""
        return self.fatal is None and self.exited is not None and self.exited.returncode == 0
