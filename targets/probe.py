"""Sends a test message to a target and returns all details, for `manage.py probe`, the admin and the API.

It speaks as a run would: the same specs, connectors, guard and time limits; nothing is recorded. Whatever is kept for
showing has been redacted by value: the target's secrets, and what a handshake gave.
"""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic_ns
from typing import Any, Final

import orjson
import uvloop

from attachments.attachment import Attachment
from connectors.content.sniff import WRONG_TYPES
from connectors.content.tool_calls import NO_NAME, STEP, ToolCall
from connectors.errors import Refused, TurnError
from connectors.handshake_connector import HandshakeConnector
from connectors.in_time import OutOfTimeError, in_time
from connectors.mapping.request import RenderedRequest
from connectors.mapping.unset import explained
from connectors.registry import Lane, connector_class
from connectors.security.guard import AllowPrivate
from connectors.security.redact import Redactor
from connectors.security.vault import LONG, derived_of, redactor_of
from connectors.spec import TargetSpec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from plain_text.visible import visible
from targets.frame_recorder import FRAME_CHARS, FrameRecorder
from targets.probe_result import Failure, Probe, Request, Turn, all_tokens, ms, times_of, type_notes, usage_notes
from targets.saved_values import hidden, told
from targets.sent_requests import RoundRecorder, round_notes, shown_request
from targets.step_recorder import PartRecorder, StepRecorder

TEXT_CHARS: Final = 20_000
"""Characters of the extracted text that are kept."""
UNASSIGNED_SHOWN: Final = 10
UNASSIGNED_CHARS: Final = 200
LIMIT_S: Final = 30.0
"""Maximum time for which somebody waits for a page."""
LISTEN_MS = 300.0
LISTEN_MOST_MS = 2000.0
"""Minimum and maximum time for listening on a lasting connection after the last answer."""


def probe(
    spec: TargetSpec,
    messages: Sequence[str],
    *,
    attached: Sequence[Attachment] = (),
    lane: Lane = "reference",
    allow_private: AllowPrivate = True,
    limit_s: float | None = None,
) -> Probe:
    """Send `messages` in one conversation, up to the first that fails; `attached` goes with the first one. `limit_s`
    bounds the whole conversation. Raises SpecError if the target cannot be used; all other failures are in the
    result."""
    if limit_s is not None:
        spec = spec.within(limit_s)
    teller = _Teller(spec, lane, allow_private)
    teller.attached = attached
    if limit_s is None:
        teller.tell(messages)
    else:
        _in_time(teller, messages, limit_s)
    return teller.result


def _in_time(teller: _Teller, messages: Sequence[str], limit_s: float) -> None:
    """Runs in a thread that is abandoned at the limit: its own waits are bounded, but a handshake has many."""
    try:
        in_time(lambda: teller.tell(messages), limit_s, "probe")
    except OutOfTimeError:
        teller.give_up(f"the test did not end within {limit_s:g} s")


class _Teller:
    """Holds the conversation. `result` can be read at any time."""

    def __init__(self, spec: TargetSpec, lane: Lane, allow_private: AllowPrivate) -> None:
        self._target = CompiledTarget(spec)
        self._secrets = [value.get_secret_value() for value in spec.secrets.values()]
        self._redact, self._derived = redactor_of(spec), derived_of(spec)
        self._mask = Redactor([value for value in self._secrets if len(value) >= LONG], self._derived)
        kind = connector_class(spec.protocol, lane)
        self._connector = kind(self._target, allow_private=allow_private)
        self._from_handshake: set[str] = set()
        self._steps = StepRecorder()
        if self._target.handshake is not None:
            self._steps.attach(self._target.handshake)
        self._parts = PartRecorder()
        if self._target.then is not None and isinstance(self._connector, HandshakeConnector):
            self._parts.attach(self._connector)
        self._rounds = RoundRecorder(self._connector)
        self._rounds.attach()
        self._given_up = False
        self.attached: Sequence[Attachment] = ()
        self.result = Probe(self._redact(spec.name), spec.protocol, self._redact(spec.url), lane)

    def tell(self, messages: Sequence[str]) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._converse(messages))

    def give_up(self, why: str) -> None:
        self._given_up = True
        if not self.result.turns:
            self.result.turns.append(Turn(""))
        self.result.turns[-1].error = Failure(
            "total_timeout",
            why,
            "see which step is slow, or use manage.py probe, which has the time limits of the target",
        )

    def _show_unassigned(self) -> None:
        """Keep the first messages that belong to no turn."""
        connector, kept = self._connector, self.result.unassigned_frames
        look_at = connector.look_at

        def seen(data: bytes, ns: int) -> None:
            if len(kept) < UNASSIGNED_SHOWN:
                kept.append(visible(self._redact.cut(data.decode(errors="backslashreplace"), UNASSIGNED_CHARS)))
            look_at(data, ns)

        connector.look_at = seen  # type: ignore[method-assign] # on this one connector: a load's path stays as it is

    async def _converse(self, messages: Sequence[str]) -> None:
        connector = self._connector
        self._show_unassigned()
        connector.begin({"id": f"probe-{uuid.uuid4()}", "number": 0, "user": 0})
        log: list[dict[str, Any]] = []
        try:
            for number, message in enumerate(messages):
                log.append({"role": "user", "content": message})
                if number == 0 and self.attached:
                    log[0]["attachments"] = self.attached
                text, failure = await self._turn(message, log, number)
                if isinstance(failure, Refused) and connector.refresh(failure.status):
                    text, failure = await self._turn(message, log, number)
                if failure is not None or self._given_up:
                    return
                log.append({"role": "assistant", "content": text})
        finally:
            await self._listen_after_end()
            await self._say_farewell()
            self._finish()
            await _settled(connector.disconnect())

    async def _say_farewell(self) -> None:
        """What the target is asked at the end, if a message was sent."""
        connector, result = self._connector, self.result
        wanted = self._target.farewell is not None and any(turn.sent for turn in result.turns)
        if not wanted or self._given_up or not isinstance(connector, HandshakeConnector):
            return
        asked = PartRecorder()
        asked.attach_end(connector)
        if (parting := await _settled(connector.say_farewell())) is not None:
            result.goodbye = asked.shown(self._redact)
            result.goodbye_ms = {name: ms(ns) for name, ns in parting.took_ns.items()}
            if parting.failure is not None:
                result.goodbye_error = self._failure(explained(parting.failure, self._target.unset_secrets))

    async def _listen_after_end(self) -> None:
        """Listen briefly on a lasting connection: a surplus answer shows that answers are shifted."""
        connector, turns = self._connector, self.result.turns
        if not connector.lasting or self._target.correlates or self._given_up or not turns or turns[-1].error:
            return
        longest_ms = max(turn.times_ms.get("done", 0.0) for turn in turns)
        until_ns = monotonic_ns() + int(min(max(3 * longest_ms, LISTEN_MS), LISTEN_MOST_MS) * 1e6)
        with suppress(TurnError):
            kept = self.result.unassigned_frames
            while monotonic_ns() < until_ns and len(kept) < UNASSIGNED_SHOWN and connector.ready:
                await asyncio.sleep(0.02)

    async def _turn(self, message: str, log: list[dict[str, Any]], number: int) -> tuple[str, TurnError | None]:
        connector = self._connector
        turn = Turn(self._redact(message))
        self.result.turns.append(turn)
        context = {"message": message, "messages": log, "history": log[:-1], "turn": number, "vars": {}}
        recorder = FrameRecorder(self._redact, mask=self._mask, frames=turn.frames)
        types_before = WRONG_TYPES.copy()
        timeline: Timeline | None = None
        failure: TurnError | None = None
        try:
            if not connector.ready:
                await _settled(connector.connect())
                self._shaken()
                recorder.redact = self._redact
            if self.attached:
                self._target.attach(context, () if number else self.attached)
            request = connector.render(context)
            turn.request = self._shown(request, context)
            timeline = connector.timeline(monotonic_ns())
            recorder.attach(timeline)
            await _settled(connector.send_message(request, timeline))
            connector.finish_turn(timeline)
        except TurnError as exc:
            failure = explained(exc, self._target.unset_secrets)
            if turn.request is None:
                with suppress(TurnError):  # it may need values of a handshake
                    turn.request = self._shown(connector.render(context), context)
        if not self._given_up:
            turn.notes += type_notes(WRONG_TYPES - types_before)
            self._fill(turn, recorder, timeline, failure)
        return timeline.text if timeline else "", failure

    def _shaken(self) -> None:
        """Values from a handshake are as secret as its inputs."""
        if self._target.handshake is None:
            return
        self._from_handshake |= set(self._connector.saved)
        self._redact = Redactor([*self._secrets, *hidden(self._connector.saved), *self._steps.saved], self._derived)

    def _shown(self, request: RenderedRequest, context: Mapping[str, Any]) -> Request:
        plain = self._target.render(dict(context)).body if self._target.has_codecs else request.body
        return shown_request(self._connector, self._redact, request, plain)

    def _fill(self, turn: Turn, recorder: FrameRecorder, timeline: Timeline | None, failure: TurnError | None) -> None:
        steps = self._connector.handshake_ns if timeline is None or timeline.sent_ns is None else timeline.handshake_ns
        rounds = {name: ms(ns) for name, ns in (steps or {}).items() if name.startswith(STEP)}
        turn.handshake_ms = {name: ms(ns) for name, ns in (steps or {}).items() if name not in rounds}
        self._show_steps(turn)
        if failure is not None:
            turn.error = self._failure(failure)
        if timeline is None:
            return
        turn.sent = timeline.sent_ns is not None
        recorder.settle(timeline.text, failure)
        turn.frames_left_out, turn.unmatched, turn.unread = recorder.left_out, recorder.unmatched, recorder.unread
        turn.text_chars = len(timeline.text)
        turn.text = visible(self._redact.cut(timeline.text, TEXT_CHARS), lines=True)
        for name in ("reasoning_chars", "chunks", "bytes_in", "bytes_out"):
            setattr(turn, name, getattr(timeline, name))
        turn.tokens_in, turn.tokens_out = all_tokens(timeline)
        turn.times_ms = times_of(timeline) | {name.removeprefix(STEP): took for name, took in rounds.items()}
        turn.tool_calls = [self._called(call) for call in timeline.tool_calls]
        turn.notes += [*usage_notes(timeline, turn), *round_notes(self._connector, timeline)]
        turn.saved = self._told(timeline.saved or {})

    def _failure(self, failure: TurnError) -> Failure:
        redact = self._redact.error
        return Failure(failure.code, visible(redact(failure.detail)), redact(failure.advice))

    def _show_steps(self, turn: Turn) -> None:
        """A refused handshake may have saved something before."""
        if self._steps.saved:
            self._redact = Redactor([*self._secrets, *self._steps.saved], self._derived)
        turn.steps_left_out, turn.steps = self._steps.left_out, self._steps.shown(self._redact)
        turn.notes += [note for note in self._steps.notes.values() if note]
        self._steps.notes.clear()
        turn.parts_left_out, turn.parts = self._parts.left_out, self._parts.shown(self._redact)
        turn.rounds_left_out, turn.rounds = self._rounds.left_out, self._rounds.shown(self._redact)

    def _finish(self) -> None:
        self.result.known = self._told(self._connector.saved)
        self.result.unassigned = self._connector.unassigned
        self.result.unsolicited = self._connector.unsolicited

    def _called(self, call: ToolCall) -> str:
        return visible(self._redact.cut(f"{call.name or NO_NAME} {call.arguments}", FRAME_CHARS))

    def _told(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        """What a handshake gave is shown by its kind; but never a secret that it repeats."""
        return {
            name: self._plain(told(name, value) if name in self._from_handshake else value)
            for name, value in saved.items()
        }

    def _plain(self, value: Any) -> str:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return visible(self._redact.cut(text, FRAME_CHARS))


async def _settled(result: Any) -> Any:
    """The reference lane has already blocked; the load lane is awaited."""
    return await result if inspect.isawaitable(result) else result
