"""A test message to a target, and everything that can be seen of it. For `manage.py probe`, the admin and the API.

It speaks as a run would: the same specs, connectors, guard and time limits; nothing is recorded. Whatever is kept for
showing has been redacted by value: the target's secrets, and what a handshake gave.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from time import monotonic_ns
from typing import Any, Final

import orjson
import uvloop

from connectors.errors import Refused, TurnError
from connectors.guard import AllowPrivate
from connectors.mapping import CompiledTarget, RenderedRequest
from connectors.redact import MASK, Redactor
from connectors.registry import Lane, connector_class
from connectors.sniff import WRONG_TYPES
from connectors.spec import TargetSpec
from connectors.timeline import Timeline
from connectors.unset import explained
from connectors.usage import believable
from targets.tape import FRAME_CHARS, Frame, Tape, visible

TEXT_CHARS: Final = 20_000
"""Characters of the extracted text that are kept."""
BODY_CHARS: Final = 10_000
STRAYS_SHOWN: Final = 10
STRAY_CHARS: Final = 200
LIMIT_S: Final = 30.0
"""How long somebody waits before a page, at most."""
LISTEN_MS = 300.0
LISTEN_MOST_MS = 2000.0
"""How long a lasting connection is listened to after the last answer: at least, at most."""


@dataclass
class Request:
    """The request of a turn; `method` empty: a message on a connection that `url` and `headers` have opened. `body` is
    what the codecs were given, `packed` what they made of it."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str
    event: str = ""
    packed: str | None = None


@dataclass
class Failure:
    code: str
    detail: str
    advice: str


@dataclass
class Turn:
    """One message and its answer. Times in ms: of the steps of connecting, and from the request's first byte on.
    `sent`: whether the request was; else it is shown as it would have been."""

    message: str
    sent: bool = False
    handshake_ms: dict[str, float] = field(default_factory=dict)
    request: Request | None = None
    frames: list[Frame] = field(default_factory=list)
    frames_left_out: int = 0
    unmatched: int = 0
    text: str = ""
    text_chars: int = 0
    reasoning_chars: int = 0
    chunks: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    times_ms: dict[str, float] = field(default_factory=dict)
    saved: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What a run would doubt or put right of this answer, in words."""
    error: Failure | None = None


@dataclass
class Probe:
    """One conversation on one lane. `known`: what was saved by the end; what came from a handshake is not shown.
    `stray`: messages that belong to no turn, of which `stray_frames` are the first; `unsolicited`: those with text."""

    target: str
    protocol: str
    url: str
    lane: Lane
    turns: list[Turn] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)
    stray: int = 0
    stray_frames: list[str] = field(default_factory=list)
    unsolicited: int = 0

    @property
    def ok(self) -> bool:
        return bool(self.turns) and self.turns[-1].error is None

    def as_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}


def probe(
    spec: TargetSpec,
    messages: Sequence[str],
    *,
    lane: Lane = "reference",
    allow_private: AllowPrivate = True,
    limit_s: float | None = None,
) -> Probe:
    """Say `messages` in one conversation, up to the first that fails. `limit_s` bounds all of it.

    Raises SpecError if the target cannot be used; everything else that goes wrong is in the result.
    """
    if limit_s is not None:
        spec = spec.model_copy(update={"timeouts": _cut(spec, limit_s)})
    teller = _Teller(spec, lane, allow_private)
    if limit_s is None:
        teller.tell(messages)
    else:
        _in_time(teller, messages, limit_s)
    return teller.result


def _cut(spec: TargetSpec, limit_s: float) -> Any:
    given = spec.timeouts
    return given.model_copy(update={name: min(value, limit_s) for name, value in given.model_dump().items()})


def _in_time(teller: _Teller, messages: Sequence[str], limit_s: float) -> None:
    """In a thread that is left to itself at the limit: its own waits are bounded, but a handshake has many."""
    failures: list[Exception] = []

    def tell() -> None:
        try:
            teller.tell(messages)
        except Exception as exc:  # noqa: BLE001 - raised below, where somebody sees it
            failures.append(exc)

    thread = threading.Thread(target=tell, daemon=True, name="probe")
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        teller.give_up(f"the test was not over after {limit_s:g} s")
    elif failures:
        raise failures[0]


class _Teller:
    """Holds the conversation. `result` can be read at any time."""

    def __init__(self, spec: TargetSpec, lane: Lane, allow_private: AllowPrivate) -> None:
        self._target = CompiledTarget(spec)
        self._secrets = [value.get_secret_value() for value in spec.secrets.values()]
        self._redact = Redactor(self._secrets)
        kind = connector_class(spec.protocol, lane)
        self._connector = kind(self._target, allow_private=allow_private)
        self._from_handshake: set[str] = set()
        self._given_up = False
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

    def _show_strays(self) -> None:
        """Keep the first messages that belong to no turn."""
        connector, kept = self._connector, self.result.stray_frames
        look_at = connector.look_at

        def seen(data: bytes, ns: int) -> None:
            if len(kept) < STRAYS_SHOWN:
                kept.append(visible(self._redact.cut(data.decode(errors="backslashreplace"), STRAY_CHARS)))
            look_at(data, ns)

        connector.look_at = seen  # type: ignore[method-assign] # on this one connector: a load's path stays as it is

    async def _converse(self, messages: Sequence[str]) -> None:
        connector = self._connector
        self._show_strays()
        connector.begin({"id": f"probe-{uuid.uuid4()}", "number": 0, "user": 0})
        log: list[dict[str, str]] = []
        try:
            for number, message in enumerate(messages):
                log.append({"role": "user", "content": message})
                text, failure = await self._turn(message, log, number)
                if isinstance(failure, Refused) and connector.refresh(failure.status):
                    text, failure = await self._turn(message, log, number)
                if failure is not None or self._given_up:
                    return
                log.append({"role": "assistant", "content": text})
        finally:
            await self._overhear()
            self._finish()
            await _settled(connector.disconnect())

    async def _overhear(self) -> None:
        """Listen for a moment to a connection that lasts: an answer that is left over shows that they are shifted."""
        connector, turns = self._connector, self.result.turns
        if not connector.lasting or self._target.correlates or self._given_up or not turns or turns[-1].error:
            return
        longest_ms = max(turn.times_ms.get("done", 0.0) for turn in turns)
        until_ns = monotonic_ns() + int(min(max(3 * longest_ms, LISTEN_MS), LISTEN_MOST_MS) * 1e6)
        with suppress(TurnError):
            while monotonic_ns() < until_ns and not connector.unsolicited and connector.ready:
                await asyncio.sleep(0.02)

    async def _turn(self, message: str, log: list[dict[str, str]], number: int) -> tuple[str, TurnError | None]:
        connector = self._connector
        turn = Turn(self._redact(message))
        self.result.turns.append(turn)
        context = {"message": message, "messages": log, "history": log[:-1], "turn": number, "vars": {}}
        tape = Tape(self._redact, turn.frames)
        types_before = WRONG_TYPES.copy()
        timeline: Timeline | None = None
        failure: TurnError | None = None
        try:
            if not connector.ready:
                await _settled(connector.connect())
                self._shaken()
                tape.redact = self._redact
            request = connector.render(context)
            turn.request = self._shown(request, context)
            timeline = connector.timeline(monotonic_ns())
            tape.wind(timeline)
            await _settled(connector.send_message(request, timeline))
            connector.took(timeline)
        except TurnError as exc:
            failure = explained(exc, self._target.unset_secrets)
            if turn.request is None:
                with suppress(TurnError):  # it may need what a handshake would have given
                    turn.request = self._shown(connector.render(context), context)
        if not self._given_up:
            turn.notes += _type_notes(WRONG_TYPES - types_before)
            self._fill(turn, tape, timeline, failure)
        return timeline.text if timeline else "", failure

    def _shaken(self) -> None:
        """What a handshake gave is as secret as what it was given."""
        if self._target.handshake is None:
            return
        self._from_handshake |= set(self._connector.saved)
        given = [value for value in self._connector.saved.values() if isinstance(value, str)]
        self._redact = Redactor([*self._secrets, *given])

    def _shown(self, request: RenderedRequest, context: Mapping[str, Any]) -> Request:
        spec, redact = self._target.spec, self._redact
        scheme = spec.url.partition("://")[0]
        on_connection = self._connector.goes_on and spec.standing is None
        sent = None
        body = request.body
        if self._target.has_codecs:
            sent = visible(redact.cut(body.decode(errors="backslashreplace"), FRAME_CHARS))
            body = self._target.render(dict(context)).body
        return Request(
            method="" if on_connection else request.method,
            url=visible(redact(f"{scheme}://{self._target.host_header}{request.path}")),
            headers=[(name, visible(redact(value))) for name, value in request.headers],
            body=visible(redact.cut(body.decode(errors="backslashreplace"), BODY_CHARS)),
            event=redact(request.event or spec.grpc.method),
            packed=sent,
        )

    def _fill(self, turn: Turn, tape: Tape, timeline: Timeline | None, failure: TurnError | None) -> None:
        steps = self._connector.handshake_ns if timeline is None or timeline.sent_ns is None else timeline.handshake_ns
        turn.handshake_ms = {name: _ms(ns) for name, ns in (steps or {}).items()}
        if failure is not None:
            redact = self._redact.error
            turn.error = Failure(failure.code, visible(redact(failure.detail)), redact(failure.advice))
        if timeline is None:
            return
        turn.sent = timeline.sent_ns is not None
        turn.frames_left_out, turn.unmatched = tape.left_out, tape.unmatched
        turn.text_chars = len(timeline.text)
        turn.text = visible(self._redact.cut(timeline.text, TEXT_CHARS), lines=True)
        for name in ("reasoning_chars", "chunks", "tokens_in", "tokens_out", "bytes_in", "bytes_out"):
            setattr(turn, name, getattr(timeline, name))
        turn.times_ms = _times(timeline)
        turn.notes += _usage_notes(timeline, turn)
        turn.saved = self._told(timeline.saved or {})

    def _finish(self) -> None:
        self.result.known = self._told(self._connector.saved)
        self.result.stray = self._connector.stray
        self.result.unsolicited = self._connector.unsolicited

    def _told(self, saved: Mapping[str, Any]) -> dict[str, Any]:
        return {name: MASK if name in self._from_handshake else self._plain(value) for name, value in saved.items()}

    def _plain(self, value: Any) -> str:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        return visible(self._redact.cut(text, FRAME_CHARS))


def _type_notes(found: Mapping[str, int]) -> Iterator[str]:
    for kind in found:
        yield f"content_type_wrong: the answer came as {visible(kind)}, and was read as what it holds"


def _usage_notes(timeline: Timeline, turn: Turn) -> Iterator[str]:
    """As a run judges it (`usage_not_believed`): of the output, for what a request says is not only its message."""
    told, chars = timeline.told, turn.text_chars + turn.reasoning_chars
    if told.unreadable:
        yield "usage_not_believed: what the target told as its usage is no count"
    elif told.output is not None and not believable(told.output, chars):
        yield f"usage_not_believed: {told.output} tokens cannot be those of {chars} characters"
    elif told.input == 0:
        yield "usage_not_believed: 0 tokens cannot be those of the request"


def _times(timeline: Timeline) -> dict[str, float]:
    """From the request's first byte on, as far as the turn came."""
    sent_ns = timeline.sent_ns
    if sent_ns is None:
        return {}
    moments = {
        "first_byte": timeline.first_byte_ns,
        "first_chunk": timeline.first_chunk_ns,
        "first_text": timeline.first_content_ns,
        "last_text": timeline.last_content_ns,
        "done": timeline.done_ns,
    }
    return {name: _ms(ns - sent_ns) for name, ns in moments.items() if ns is not None}


def _ms(ns: int) -> float:
    return round(ns / 1e6, 3)


async def _settled(result: object) -> None:
    """The reference lane has blocked until now; the load lane is waited for."""
    if inspect.isawaitable(result):
        await result
