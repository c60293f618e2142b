"""Base of connectors with a handshake, shared by both lanes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.base import BaseConnector
from connectors.handshake.farewell import Parting
from connectors.handshake.handshake import Handshake
from connectors.handshake.progress import Progress
from connectors.handshake.steps import Asking
from connectors.handshake.then import Talk, TurnParts
from connectors.http.cookies import Cookies, with_cookies
from connectors.mapping.request import RenderedRequest
from connectors.security.guard import AllowPrivate
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from connectors.tools.rounds import ToolTalk
from connectors.waits import SHORTEST_WAIT_NS


class HandshakeConnector(BaseConnector):
    """`connect` of a subclass calls its lane's `do_handshake` first, which carries the steps that are due."""

    results: Sequence[RenderedRequest] | None = None
    """What is sent before the request of a later round, in the place of what goes before a turn's; None: a turn
    begins."""
    tool_talk: ToolTalk | None = None

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self._handshake = target.handshake
        self._progress: Progress | None = None
        self._run_round = 0
        self.cookies = target.new_cookies()
        if target.tools is not None:
            talk = self.tool_talk = ToolTalk(self, target.tools)
            # Targets without tools do not pay for it.
            self.render, self.send_message = talk.render, talk.send_message  # type: ignore[method-assign]  # see above

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
        BaseConnector.begin(self, session)  # `super()` makes an object first, for each conversation
        if self._handshake is not None:
            self._begin_handshake(self._handshake)
        if self.cookies is not None and self.cookies.own:
            self.cookies = self.target.new_cookies()

    def _begin_handshake(self, handshake: Handshake) -> None:
        self._progress = None
        if self.has_run_steps_only and not handshake.run_due():
            self._progress = handshake.new_progress()  # there is nothing that this conversation has to do
            self._progress.done = True
            self._handshake_done()

    def refresh(self, status: int) -> bool:
        handshake = self.target.handshake
        if handshake is None or status not in handshake.refresh_on:
            return False
        if handshake.run.round == self._run_round:  # otherwise another user has refreshed it since
            handshake.run.forget()
        self._progress = None
        return True

    def _waited(self, step: str, began_ns: int) -> None:
        """This user waited from `began_ns` (monotonic) until now, and not for us."""
        waited_ns = time.monotonic_ns() - began_ns
        if waited_ns >= SHORTEST_WAIT_NS:
            self.add_step(step, waited_ns)

    def parts_of(self, timeline: Timeline) -> TurnParts:
        """The requests of a turn whose target has several."""
        then = self.target.then
        if then is None:
            raise RuntimeError("its turns are one request")
        return TurnParts(then, timeline, Talk(self.turn_context, self._keep, self.packed, self._decode))

    def parting(self) -> Parting | None:
        """What is asked at the end of this conversation; None: nothing, or it has not got so far."""
        farewell, handshake, progress = self.target.farewell, self.target.handshake, self._progress
        if farewell is None:
            return None
        if handshake is not None and (progress is None or (handshake.of_session and not progress.done)):
            return None
        return farewell.parting(self.session, self.saved)

    def packed(self, request: RenderedRequest) -> RenderedRequest:
        """With its body as codecs encode it."""
        codecs = self.codecs
        if codecs is None or not request.body:
            return request
        return request._replace(body=self._encoded(codecs, request))

    def render_results(self, make: Callable[[RenderedRequest], RenderedRequest]) -> RenderedRequest:
        """Another request of the turn that was rendered last: what `make` makes of that one. Raises BadRequest."""
        request = make(self.target.render(dict(self.turn_context)))
        if self.reply_to is not None:
            self.reply_id = self.reply_to.asked(request.body)
        request = self.packed(request)
        return request if self.opens_secrets else self.target.endpoint.released(request)

    def keep_saved(self, timeline: Timeline) -> None:
        """What an answer gave to save, for the requests that follow."""
        if timeline.saved is not None:
            self._keep(timeline.saved)

    def conceal(self, value: Any) -> Any:
        """What an answer gave, without secrets that the target repeats."""
        return value if self._vault is None else self._vault.concealed(value)

    def _with_cookies(self, request: RenderedRequest) -> RenderedRequest:
        return with_cookies(request, self.target.endpoint, self.cookies)

    def keep_cookies(self, path: str, set_cookies: list[str]) -> None:
        """An answer to a request for `path` set these."""
        if self.cookies is not None and set_cookies:
            self.cookies.keep(self.target.endpoint, path, set_cookies)

    def _step_cookies(self, of_run: bool) -> Cookies | None:
        """What the requests of a handshake share with the turns."""
        return self.target.cookies if of_run and self.cookies is not None else self.cookies

    def _session_steps(self) -> Asking | None:
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

    def _handshake_done(self) -> None:
        """All steps are done: templates and codecs know what they gave."""
        handshake = self.target.handshake
        if handshake is None or self._progress is None:
            return
        self._run_round = handshake.run.round
        self.saved.update(handshake.run.saved)
        self.saved.update(self._progress.saved)
        self._codecs_made = False
