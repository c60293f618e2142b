"""What is known of a turn: its times, its text, and what else was found in its answer."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from io import StringIO
from typing import Any, Literal

from connectors.content.answers import NO_REASONS, Kind
from connectors.content.decoding import loads, mended
from connectors.content.formats import Reader
from connectors.content.said_errors import harmless_shape, said_error
from connectors.content.tool_calls import CallPaths, ToolCall, ToolCalls
from connectors.content.wording import shape
from connectors.errors import BadAnswer
from connectors.mapping.answers.part import Part
from connectors.mapping.answers.response import ResponseMapping

Decode = Callable[[bytes], bytes]
REFUSAL_CHARS = 120
NO_CONTENT = frozenset({204, 205})
NOTHING_CAME = object()
"""No event without text yet: one may be a JSON null."""
Sign = Literal["empty_text", "tool_call", "refusal", "result", "empty_body", "whole", "halves"]
"""What an answer showed beside its text: a text that is empty, a tool call, a refusal, a result that is no text; or
that it came without a body, or as a whole document; or that its JSON was odd, so that halves of surrogate pairs may be
in it."""
NO_SIGNS: frozenset[Sign] = frozenset()
SAID: frozenset[Sign] = frozenset({"empty_text", "tool_call", "refusal", "result"})
"""Those that may stand in the place of a text."""
NO_TIMES = array("q")
"""Stands where no time has been noted yet; nothing is ever added to it."""


def as_it_is(data: bytes) -> bytes:
    """The codec of a target that has none."""
    return data


class TurnState:
    """`kind` is that of the answer (None: nothing was found), `finish` the reason why it ended, as the target said it.
    `expected` are the words of `expect_text` that hold for this turn.

    `told_alone`: whether both counts of tokens were told, as whole numbers, in one object that tells nothing of
    reasoning.
    `has_unsolicited_text`: whether the text began with what the whole text, said at the end, does not have: something
    else than the answer came first.

    `_text_event` is the last event with text or reasoning, or the whole answer, as it came. What is read of it is let
    go: it takes more memory, and with many sessions the processor's caches would not hold it.
    """

    __slots__ = (
        "_decode",
        "_last_with_text",
        "_last_without_text",
        "_one_frame",
        "_reason",
        "_refusal_text",
        "_room",
        "_signs",
        "_text",
        "_text_event",
        "_told",
        "_whole",
        "arrival_errors",
        "bytes_in",
        "bytes_out",
        "charset",
        "done_ns",
        "expected",
        "finish",
        "first_byte_ns",
        "first_chunk_ns",
        "first_content_ns",
        "gaps_ns",
        "handshake_ns",
        "has_unsolicited_text",
        "kind",
        "last_content_ns",
        "planned_ns",
        "quiet_ns",
        "reasoning_chars",
        "response",
        "saved",
        "sent_ns",
        "status",
        "told_alone",
        "told_in",
        "told_out",
        "tools",
    )

    sent_ns: int | None
    first_byte_ns: int | None
    first_chunk_ns: int | None
    first_content_ns: int | None
    last_content_ns: int | None
    done_ns: int | None
    quiet_ns: int
    """How long after `done_ns` it became known that the answer had ended."""
    gaps_ns: array[int]
    arrival_errors: array[int]
    handshake_ns: dict[str, int] | None
    saved: dict[str, Any] | None
    tools: ToolCalls | None
    """The tool calls of the answer; None: there is none, or the mapping does not read them."""
    charset: str | None
    """What the answer's content type declares, if not UTF-8."""
    told_in: Any
    told_out: Any
    """Token counts as reported at the mapping's paths; `told` interprets them."""
    _told: tuple[Part, Any] | None
    _text_event: bytes | None
    _reason: str | None
    kind: Kind | None
    finish: str | None
    _last_without_text: Any
    _last_with_text: Any
    _text: StringIO
    _room: int
    """What pieces of text are kept in, and how many characters more may come; from the first piece on."""
    _refusal_text: str
    """The target's words, if there was a refusal."""

    def __init__(
        self, response: ResponseMapping, planned_ns: int, *, decode: Decode | None = None, one_frame: bool = False
    ) -> None:
        """`decode` undoes the target's codecs. `one_frame`: the first event with text is the whole answer."""
        self.response = response
        self._decode = as_it_is if decode is None and response.reads else decode
        self._one_frame = one_frame
        self.planned_ns = planned_ns
        # Each alone: `self.a = self.b = None` takes the interpreter half as many steps again.
        self.sent_ns = None
        self.first_byte_ns = None
        self.first_chunk_ns = None
        self.first_content_ns = None
        self.last_content_ns = None
        self.done_ns = None
        self.gaps_ns = NO_TIMES
        self.arrival_errors = NO_TIMES
        self.handshake_ns = None
        self.saved = None
        self.charset = None
        self._whole = ""
        self.status = 0
        self.reasoning_chars = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.told_in = None
        self.told_out = None
        self.told_alone = False
        self._told = None
        self.has_unsolicited_text = False
        self._last_with_text = None
        self._last_without_text = NOTHING_CAME
        self._text_event = None
        self._reason = None
        self._signs = NO_SIGNS
        self.expected = response.expected_kinds
        self.kind = None
        self.finish = None
        self.quiet_ns = 0
        self.tools = None

    @property
    def text(self) -> str:
        """The answer so far; reasoning is not part of it."""
        text = self._whole
        if not text and self.first_content_ns is not None:
            text = self._text.getvalue()
        return mended(text) if "halves" in self._signs else text

    @property
    def tool_calls(self) -> list[ToolCall]:
        """All that the answer calls."""
        return [] if self.tools is None else self.tools.calls

    @property
    def tools_seen(self) -> int:
        """What there is of tool calls by now: how many, and their characters."""
        return sum(1 + len(call.arguments) for call in self.tool_calls)

    @property
    def chunks(self) -> int:
        """How many pieces of content came."""
        return 0 if self.first_content_ns is None else len(self.gaps_ns) + 1

    def look(self, ns: int) -> None:
        """Time has passed: `ns` is now. An answer that ends by quiet may be over; held messages may be read."""

    def look_at_ns(self, now_ns: int) -> int | None:
        """When to `look` next; None: nothing but an event changes anything."""
        return None

    def decoded(self, data: bytes) -> bytes:
        """An event without the target's codecs, as JSON. Marks of the mapping come as they are."""
        if self._decode is None or self._is_mark(data):
            return data
        data = self._decode(data)
        read = self._reader()
        return data if read is None or self._is_mark(data) else read(data, self.charset, False)

    def whole_decoded(self, data: bytes) -> bytes:
        """The same of a whole answer."""
        data = data if self._decode is None else self._decode(data)
        read = self.response.read
        return data if read is None else read(data, self.charset, True)

    def _is_mark(self, data: bytes) -> bool:
        return not data or data == self.response.part.done_data or data in self.response.ignored_data

    def _reader(self) -> Reader | None:
        """What makes JSON of this event; None: it is JSON."""
        return self.response.read

    def sent(self, ns: int, size: int) -> None:
        if self.sent_ns is None:  # otherwise the same turn continues after a redirect
            self.sent_ns = ns
        self.bytes_out += size

    def received(self, ns: int, size: int) -> None:
        if self.first_byte_ns is None:
            self.first_byte_ns = ns
        self.bytes_in += size

    def _with_text(self) -> Any:
        """The last event with text or reasoning, or the whole answer; None: there was none."""
        if self._text_event is not None:
            self._last_with_text, self._text_event = loads(self._text_event, self.charset), None
        return self._last_with_text

    @property
    def _has_said(self) -> bool:
        """Whether there was a text, though it be empty, or what may stand in its place."""
        return self.last_content_ns is not None or self._reason is not None or not self._signs.isdisjoint(SAID)

    def _part_of(self, message: Any) -> Part | None:
        return self.response.part_of(message)

    def _take_calls(self, ns: int, paths: CallPaths, message: Any) -> None:
        """Raises TooLarge."""
        tools = ToolCalls() if self.tools is None else self.tools
        if tools.take(ns, paths, message):
            self.tools = tools
            self._signs |= {"tool_call"}

    def _no_error(self, said: str | None) -> None:
        if said is not None:
            raise BadAnswer("target_error", said)

    def _no_error_beside(self, message: Any) -> None:
        """Of an answer or event with text. Raises BadAnswer."""
        self._no_error(said_error(message, beside_text=True))
        if (is_harmless := harmless_shape(message)) is not None:
            self.response.is_harmless = is_harmless

    def _finish_reason(self) -> str | None:
        """Of the events without text, else of the last one with text or reasoning: some say both at once."""
        message = self._with_text()
        if self._reason is not None or message is None:
            return self._reason
        part = self.response.part if self.response.plain else self._part_of(message)
        if part is None or part.finish is None:
            return None
        try:
            reason = part.quick_finish(message)
        except (KeyError, IndexError, TypeError):
            reason = part.finish(message)
        if type(reason) is str and reason not in NO_REASONS:
            self._reason = reason
        return self._reason

    def _seen(self) -> str:
        """What came last without text, for an error message."""
        if self.first_chunk_ns is None:
            return "; not one event came in its body"
        last = self._last_without_text
        return "" if last is NOTHING_CAME else f"; its last event without text has {shape(last)}"

    def _grown(self, text: str) -> str:
        """What a text that grows from event to event has more than before; all of it if it is another one."""
        before = "" if self.first_content_ns is None else self._text.getvalue()
        if text.startswith(before):
            return text[len(before) :]
        self._text = StringIO()
        return text
