"""A connector whose conversations may begin with a handshake; what both lanes have in common of it."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from connectors.base import BaseConnector
from connectors.cookies import Cookies
from connectors.guard import AllowPrivate
from connectors.mapping import CompiledTarget, RenderedRequest

if TYPE_CHECKING:
    from connectors.handshake import Progress, StepAnswer, StepRequest
    from connectors.timeline import Timeline

    Steps = Generator[StepRequest, StepAnswer, None]

BODY_WAIT = "body_wait"
"""The step of a message that waited for the end of the body before, to go out on the same connection."""
BODY_WAIT_S = 0.01
"""How long it waits; then it goes out on a new connection."""
RESEND = "resend"
"""The step of a request that was sent once more, on a new connection: from the first sending to the second."""
REUSED_CLOSED_S = 1.0
"""A kept connection that ends later than this after a sending, without a byte, did not end because it was idle."""
SHORTEST_WAIT_NS = 1_000_000
"""A shorter wait is no step: it would fill ledgers, and is no lateness that anybody judges."""
RUN_WAIT = "run_wait"
"""The step of a user who waited for steps per run that another user was doing."""


class ShakingConnector(BaseConnector):
    """`connect` of a subclass calls its lane's `shake` first, which carries the steps that are due."""

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._handshake = target.handshake
        self._progress: Progress | None = None
        self._run_round = 0
        self.cookies = target.new_cookies()

    @property
    def shaken(self) -> bool:
        """Whether this conversation's handshake is done, however long ago."""
        return self.target.handshake is None or (self._progress is not None and self._progress.done)

    @property
    def fresh(self) -> bool:
        """Whether it is done and what it gave has not expired."""
        handshake = self.target.handshake
        if handshake is None:
            return True
        return self._progress is not None and not self._progress.due() and not handshake.run_due()

    @property
    def has_run_steps_only(self) -> bool:
        """Whether no step belongs to one conversation: a kept connection then serves the next one too."""
        handshake = self.target.handshake
        return handshake is not None and not handshake.of_session

    def begin(self, session: Mapping[str, Any]) -> None:
        super().begin(session)
        self._progress = None
        handshake = self.target.handshake
        if handshake is not None and self.has_run_steps_only and not handshake.run_due():
            self._progress = handshake.new_progress()  # there is nothing that this conversation has to do
            self._progress.done = True
            self._shook()
        if self.cookies is not None and self.cookies.own:
            self.cookies = self.target.new_cookies()

    def refresh(self, status: int) -> bool:
        handshake = self.target.handshake
        if handshake is None or status not in handshake.refresh_on:
            return False
        if handshake.run.round == self._run_round:  # else somebody else has refreshed it since
            handshake.run.forget()
        self._progress = None
        return True

    def _waited(self, step: str, began_ns: int) -> None:
        """This user waited from `began_ns` (monotonic) until now, and not for us."""
        waited_ns = time.monotonic_ns() - began_ns
        if waited_ns >= SHORTEST_WAIT_NS:
            self.add_step(step, waited_ns)

    def _with_cookies(self, request: RenderedRequest) -> RenderedRequest:
        cookies = self.cookies
        if cookies is None or not (cookies.own or (cookies.before is not None and cookies.before.own)):
            return request
        return cookies.added_to(request, self.target)

    def keep_cookies(self, path: str, set_cookies: list[str]) -> None:
        """An answer to a request for `path` set these."""
        if self.cookies is not None and set_cookies:
            self.cookies.keep(self.target, path, set_cookies)

    def _step_cookies(self, of_run: bool) -> Cookies | None:
        """What the requests of a handshake share with the turns."""
        return self.target.cookies if of_run and self.cookies is not None else self.cookies

    def _note_resend(self, timeline: Timeline) -> None:
        """The request of `timeline` is about to be sent again: what it took since the first time is a step, and a new
        connection's own steps are part of it."""
        since_ns = time.monotonic_ns() - (timeline.sent_ns or 0)
        self.handshake_ns = {**(timeline.handshake_ns or {}), RESEND: since_ns}

    def _session_steps(self) -> Steps | None:
        """This conversation's own steps, if they are due; those of the run are done."""
        handshake = self.target.handshake
        if handshake is None:
            return None
        self._run_round = handshake.run.round  # what these steps are done with, and may be refused for
        if self._progress is None:
            self._progress = handshake.new_progress()
        if not self._progress.due():
            return None
        return handshake.requests(handshake.of_session, self._progress, self.session, handshake.run.saved)

    def _shook(self) -> None:
        """All steps are done: templates and codecs know what they gave."""
        handshake = self.target.handshake
        if handshake is None or self._progress is None:
            return
        self._run_round = handshake.run.round
        self.saved.update(handshake.run.saved)
        self.saved.update(self._progress.saved)
        self._codecs_made = False
