"""One turn's times and text, filled by plain calls as bytes arrive. Both lanes feed it; what a byte means is here.

Times are nanoseconds of one monotonic clock. A lane calls, in this order:

    sent(ns, n)                 just before the request's first byte is written
    received(ns, n)             for each read
    event(ns, data)             for each whole event or frame of a streamed answer, or
    answer(ns, data)            once, for a whole answer
    refused(status, data)       instead, when the status is not 2xx
    end(ns)                     when the transport says that the answer is whole

and whoever asked calls `settle` when the turn is over: it says what kind of answer came, and whether it is a good one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from io import StringIO
from typing import Any, Literal, NoReturn

import orjson

from connectors.answers import BLANK, NO_REASONS, Kind, is_good, kind_of, words_for
from connectors.decoding import lenient, loads, mended, mended_value, plain_text
from connectors.errors import BadAnswer, BrokenTransport, Refused, TooLarge, TurnError
from connectors.foreign import WHOLE_ADVICE, is_page, not_json, page
from connectors.paths import Meaning, Part
from connectors.said_errors import described, real_error, said_error
from connectors.usage import NOTHING, Told, find, find_beside, read
from connectors.wording import SHAPE_LIMIT, STATUS_ADVICE, error_text, shape

REFUSAL_CHARS = 120
UNLISTED_ADVICE = "if such events hold the text, add their kind to response.kinds"
NO_CONTENT = frozenset({204, 205})
NO_BODY_ADVICE = (
    "check the address; an answer that comes over another connection needs the style split; if no answer is right, add "
    "'empty' to expect_text in the target's response mapping"
)
COMPARE = "compare the target's response mapping with the shape shown"
TEXT_CHARS = 4 * 1024 * 1024
"""Characters of one answer's text: far more than anybody reads, and held in memory, up to four bytes each, twice."""
NOTHING_CAME = object()
"""No event without text yet: one may be a JSON null."""
PASSED_OVER = object()
"""What an event holds that says nothing of its own."""
Sign = Literal["empty_text", "tool_call", "refusal", "empty_body", "whole", "halves"]
"""What an answer showed beside its text: a text that is empty, a tool call, a refusal; or that it came without a body,
or as a whole document; or that its JSON was odd, so that halves of surrogate pairs may be in it."""
NO_SIGNS: frozenset[Sign] = frozenset()
SAID: frozenset[Sign] = frozenset({"empty_text", "tool_call", "refusal"})
"""Those that may stand in the place of a text."""
NO_TIMES = array("q")
"""Stands where no time has been noted yet; nothing is ever added to it."""
LATEST_NS = 1 << 62
"""A target may send any number as a stamp, and 64 bits must hold the difference."""


class Timeline:
    """Raises TurnError (BadAnswer, Refused, ...) from `event`, `answer`, `refused`, `end` and `settle`.

    After `settle`: `kind` is that of the answer (None: nothing was found), `finish` the reason why it ended, as the
    target said it. `expected` are the words of `expect_text` that hold for this turn.
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
        "kind",
        "last_content_ns",
        "meaning",
        "planned_ns",
        "reasoning_chars",
        "saved",
        "sent_ns",
        "status",
        "told_alone",
        "told_in",
        "told_out",
    )

    _refusal_text: str
    """The target's words, if there was a refusal."""

    def __init__(
        self,
        meaning: Meaning,
        planned_ns: int,
        *,
        decode: Callable[[bytes], bytes] | None = None,
        one_frame: bool = False,
    ) -> None:
        """`decode` undoes the target's codecs. `one_frame`: the first event with text is the whole answer."""
        self.meaning = meaning
        self._decode = decode
        self._one_frame = one_frame
        self.planned_ns = planned_ns
        self.sent_ns: int | None = None
        self.first_byte_ns: int | None = None
        self.first_chunk_ns: int | None = None
        self.first_content_ns: int | None = None
        self.last_content_ns: int | None = None
        self.done_ns: int | None = None
        self.gaps_ns = self.arrival_errors = NO_TIMES
        self.handshake_ns: dict[str, int] | None = None
        self.saved: dict[str, Any] | None = None
        self.status = 0
        self.charset: str | None = None
        """What the answer's content type declares, if not UTF-8."""
        self._whole = ""
        self.reasoning_chars = 0
        self.told_in: Any = None
        self.told_out: Any = None
        """Tokens as the target told them, by the mapping's paths; `told` makes sense of them."""
        self._told: tuple[Part, Any] | None = None
        self.told_alone = False
        """Whether both were told, or can be, in one object that tells nothing of reasoning."""
        self._last_without_text: Any = NOTHING_CAME
        self._last_with_text: Any = None
        self._text_event: bytes | None = None
        """Of a stream, the last event with text or reasoning as it came. What is read of it is let go: it takes more
        memory, and with many streams the processor's caches would not hold it."""
        self._reason: str | None = None
        self._signs = NO_SIGNS
        self.expected = meaning.expected_kinds
        self.kind: Kind | None = None
        self.finish: str | None = None
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def text(self) -> str:
        """The answer so far; reasoning is not part of it."""
        text = self._whole
        if not text and self.first_content_ns is not None:
            text = self._text.getvalue()
        return mended(text) if "halves" in self._signs else text

    @property
    def tokens_in(self) -> int | None:
        return self.told.input

    @property
    def tokens_out(self) -> int | None:
        """Those of the reasoning are part of them."""
        return self.told.output

    @property
    def told(self) -> Told:
        """What the target said of its tokens, by the mapping's paths or else where servers put it. Worked out when
        it is asked for, at the end of a turn."""
        reasoning = total = None
        apart = False
        if self._told is not None:
            part, message = self._told
            apart = part.reasoning_apart
            reasoning, total = find_beside(message)
            if part.reasoning_tokens is not None:
                reasoning = part.reasoning_tokens(message)
        told = read(self.told_in, self.told_out, reasoning, total, apart=apart)
        if told.output is not None or not self.meaning.reads_usage:
            return told
        found = find(self._last_without_text)
        if found == NOTHING:
            found = find(self._with_text())
        return found._replace(
            input=found.input if told.input is None else told.input, unreadable=told.unreadable or found.unreadable
        )

    @property
    def lacks_usage(self) -> bool:
        """Whether the mapping says where the target tells its tokens, and it has not."""
        return self.meaning.reads_usage and self.told_out is None and self.told.output is None

    @property
    def chunks(self) -> int:
        """How many pieces of content came."""
        return 0 if self.first_content_ns is None else len(self.gaps_ns) + 1

    quiet_ns: int = 0
    """How long after `done_ns` nobody could know that the answer was over."""

    def look(self, ns: int) -> None:
        """Time has passed: `ns` is now. An answer that ends by quiet may be over; held messages may be read."""

    def look_at_ns(self, now_ns: int) -> int | None:
        """When to `look` next; None: nothing but an event changes anything."""
        return None

    def decoded(self, data: bytes) -> bytes:
        """An event without the target's codecs. Marks of the mapping come as they are."""
        if self._decode is None or data == self.meaning.part.done_data or data in self.meaning.ignored_data:
            return data
        return self._decode(data)

    def lacking(self) -> str:
        """What an answer that has begun still lacks, for the message of a time limit. Empty: nothing is known."""
        if self.first_chunk_ns is None or self.done_ns is not None:
            return ""
        if self.first_content_ns is None:
            if self._last_without_text is NOTHING_CAME:
                return ""
            return f"; {self.meaning.expected(self._last_without_text)}: it has {shape(self._last_without_text)}"
        return f"; text came, and no end mark ({self.meaning.end_marks})" if self.meaning.needs_done else ""

    def sent(self, ns: int, size: int) -> None:
        if self.sent_ns is None:  # else the same turn goes on behind a redirect
            self.sent_ns = ns
        self.bytes_out += size

    def received(self, ns: int, size: int) -> None:
        if self.first_byte_ns is None:
            self.first_byte_ns = ns
        self.bytes_in += size

    def event(self, ns: int, data: bytes) -> None:  # noqa: PLR0912, PLR0915 - a call for each part would cost as much as it does
        """One whole event of a stream, arrived at `ns`. The hot path: it runs for every token."""
        if self.first_chunk_ns is None:
            self.first_chunk_ns = ns
        meaning = self.meaning
        part = meaning.part
        if self._decode is not None:
            data = self.decoded(data)
        if data == part.done_data:
            self.done_ns = ns
            return
        if not data or (not meaning.plain and data in meaning.ignored_data):
            return  # an event with empty data is how some servers keep a stream alive
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            message = self._odd_event(ns, data, exc)
            if message is PASSED_OVER:
                return
        if not meaning.plain:
            found = self._part_of(message)
            if found is None:
                self._passed_over(message)
                return
            part = found
        try:
            text = part.quick_piece(message)
        except (KeyError, IndexError, TypeError):
            text = part.piece(message) if part.piece is not None else None
        if meaning.cumulative and type(text) is str:
            text = self._grown(text)
        if text:
            if self.last_content_ns is None:
                self._content(ns, text, part)
            else:
                try:
                    self._room -= self._text.write(text)
                except TypeError:
                    raise _not_text(text, part) from None
                if self._room < 0:
                    raise _endless_text()
                self.gaps_ns.append(ns - self.last_content_ns)
                self.last_content_ns = ns
            self._text_event = data
        else:
            if text is not None:
                self._content(ns, text, part)
            self._last_without_text = message
            if part.reasoning is not None and type(thought := part.reasoning(message)) is str and thought:
                self.reasoning_chars += len(thought)
                self._text_event = data
            else:
                self._told_beside(part, message, data)
        if part.stamp is not None:
            stamp = part.stamp(message)
            if type(stamp) is int and 0 <= stamp < LATEST_NS:
                errors = self.arrival_errors
                if errors is NO_TIMES:
                    errors = self.arrival_errors = array("q")
                errors.append(ns - stamp)
        try:
            nothing_beside = message.keys().isdisjoint(part.beside_keys)
        except AttributeError:  # it is no object
            nothing_beside = True
        if not nothing_beside:
            self._beside(ns, part, message)
        if (part.done_test is not None and part.done_test(message)) or (self._one_frame and self._has_said):
            self.done_ns = ns

    def late(self, data: bytes) -> None:
        """An event behind the end mark: some servers say there what the answer used, or that it failed. Nothing else of
        it counts. Raises BadAnswer (`target_error`): the answer is not complete then."""
        if self.told_out is None and b"oken" in data:
            try:
                self._last_without_text = loads(data)
            except (orjson.JSONDecodeError, TooLarge):
                return
        try:
            self._read_apart(data)
        except TurnError as exc:
            if exc.code == "target_error":
                self.done_ns = None
                raise

    def _read_apart(self, data: bytes) -> None:
        """Read an event as one of this answer, and take nothing of it. Raises TurnError."""
        if b"{" in data or self._decode is not None:  # else it is no document, which alone can say of an error
            Timeline(self.meaning, self.planned_ns, decode=self._decode).event(self.planned_ns, data)

    def _with_text(self) -> Any:
        """The last event with text or reasoning, or the whole answer; None: there was none."""
        if self._text_event is not None:
            self._last_with_text, self._text_event = loads(self._text_event, self.charset), None
        return self._last_with_text

    @property
    def _has_said(self) -> bool:
        """Whether there was a text, though it be empty, or what may stand in its place."""
        return self.last_content_ns is not None or self._reason is not None or not self._signs.isdisjoint(SAID)

    def _told_beside(self, part: Part, message: Any, data: bytes | None = None) -> None:
        """What an event or answer says that has no text: why it ended, a tool call, a refusal, or an error. `data`: it
        as it came, where that is at hand."""
        if part.tells is not None and (data is None or part.tells(data) is not None or "halves" in self._signs):
            if part.finish is not None:
                self._reason = _reason_at(part, message) or self._reason
            if part.tool_call is not None and part.tool_call(message):
                self._signs |= {"tool_call"}
            if part.refusal is not None and type(said := part.refusal(message)) is str:
                before = self._refusal_text if "refusal" in self._signs else ""
                self._refusal_text = before + said[: REFUSAL_CHARS - len(before)]
                if self._refusal_text:
                    self._signs |= {"refusal"}
        if (
            self.meaning.known_errors
            and not (part.error is not None and part.error(message))
            and not (part.whole is not None and part.whole(message))  # `_beside` reads these two
        ):
            self._no_error(said_error(message))

    def _passed_over(self, message: Any) -> None:
        """An event that the mapping does not read."""
        self._last_without_text = message
        if self.meaning.known_errors and not self.meaning.ignores(message):
            self._no_error(said_error(message, typed=True))

    def _no_error(self, said: str | None) -> None:
        if said is not None:
            raise BadAnswer("target_error", said)

    def _thought(self, part: Part, message: Any) -> None:
        if part.reasoning is not None and type(thought := part.reasoning(message)) is str:
            self.reasoning_chars += len(thought)

    def _first_piece(self, ns: int) -> None:
        """What pieces are kept in: compact, for an endless stream of small tokens must not cost many times its size."""
        self.first_content_ns = ns
        self._text = StringIO()
        self._room = TEXT_CHARS
        self.gaps_ns = array("q")

    def _part_of(self, message: Any) -> Part | None:
        return self.meaning.part_of(message)

    def answer(self, ns: int, data: bytes) -> None:
        """A whole answer, its last byte arrived at `ns`."""
        if not data:
            self._without_body(ns)
            return
        self.first_chunk_ns = ns
        if self._decode is not None:
            data = self._decode(data)
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            message = self._odd(data, exc)
        meaning = self.meaning
        part = meaning.part if meaning.plain else meaning.part_of(message)
        if part is None:
            self._signs |= {"whole"}
            self._passed_over(message)
            self.done_ns = ns
            return
        self._beside(ns, part, message)
        for mark in part.reasoning_marks:
            if mark in data:
                self._thought(part, message)
                break
        if self.last_content_ns is None:
            try:
                text = part.quick_piece(message)
            except (KeyError, IndexError, TypeError):
                text = part.piece(message) if part.piece is not None else None
            if type(text) is str and 0 < len(text) <= TEXT_CHARS:
                self._whole = text
                self._last_with_text = message
                self.first_content_ns = self.last_content_ns = ns
            else:
                if text is not None:
                    self._content(ns, text, part)
                if self.last_content_ns is None:
                    self._last_without_text = message
                    self._signs |= {"whole"}
                    self._told_beside(part, message, data)
        if part.stamp is not None:
            stamp = part.stamp(message)
            if type(stamp) is int and 0 <= stamp < LATEST_NS:
                self.arrival_errors = array("q", (ns - stamp,))
        self.done_ns = ns

    def _without_body(self, ns: int) -> None:
        """Where a stream was to come, its end mark is missing, unless the status says that there is no body."""
        if self.meaning.needs_done and self.status not in NO_CONTENT:
            self.end(ns)
        self._signs |= {"empty_body"}
        self.done_ns = ns

    def aside(self, data: bytes) -> None:
        """What was said beside a streamed answer: it may carry an error, or values to keep. Need not be JSON."""
        try:
            message = loads(data, self.charset)
        except (orjson.JSONDecodeError, TooLarge):
            return
        part = self.meaning.part
        if part.error is not None and (error := part.error(message)):
            raise BadAnswer("target_error", described(message, error))
        if self.meaning.known_errors:
            self._no_error(said_error(message))
        for name, get in part.save:
            if (value := get(message)) is not None:
                self.saved = {**(self.saved or {}), name: mended_value(value)}

    def end(self, ns: int) -> None:
        """The transport ended the answer as a whole one. A stream must have shown its end mark if it has one, or its
        finish reason: vendors' own clients read a stream without `[DONE]` to its end."""
        if self.done_ns is not None:
            return
        if self.meaning.needs_done and self._finish_reason() is None:
            what = f"the stream ended without its end mark ({self.meaning.end_marks}){self._seen()}"
            raise BadAnswer("stream_incomplete", what, "the answer was cut off, or `done` is not how it ends")
        self.done_ns = ns

    def _seen(self) -> str:
        """What came last without text, for an error message."""
        if self.first_chunk_ns is None:
            return "; not one event came in its body"
        last = self._last_without_text
        return "" if last is NOTHING_CAME else f"; its last event without text has {shape(last)}"

    def settle(self) -> None:
        """The turn is over: find the kind of its answer. Raises BadAnswer if it is not a good one: `target_error`,
        `answer_empty`, `answer_unmatched`, `expect_failed`."""
        meaning = self.meaning
        reason = self._reason
        try:
            if reason is None:
                reason = meaning.quick_finish(self._with_text())
            self.finish, by_reason = meaning.reasons.known[reason]
        except (KeyError, IndexError, TypeError):
            by_reason = self._learn_reason()
        said = self._whole
        if not said and self.last_content_ns is not None:
            said = self._whole = self._text.getvalue()
        seen = said and said.isascii() and not said.isspace()  # a strip of all that is blank costs more
        if by_reason is None and not self._signs and (seen or said.strip(BLANK)) and "text" in self.expected:
            self.kind = "text"  # as nearly every answer is
            return
        if by_reason == "failed":
            raise BadAnswer("target_error", f"the answer ended with the finish reason {self.finish!r}")
        text = bool(said.strip(BLANK))
        if said and not text:
            self._look_beside_blank()
        if not text and not self._may_be_silent():
            raise self._unmatched(self._last_without_text)
        self.kind = kind_of(
            text=text,
            by_reason=by_reason,
            tool_call="tool_call" in self._signs,
            refusal="refusal" in self._signs,
            reasoning=bool(self.reasoning_chars),
        )
        if not is_good(self.kind, text=text, expected=self.expected):
            raise self._not_good(self.kind, text=text)

    def _look_beside_blank(self) -> None:
        """What stands beside white space, which nobody looked for while that seemed to be an answer."""
        message = self._with_text()
        part = self.meaning.part if self.meaning.plain else self._part_of(message)
        if part is not None:
            self._told_beside(part, message)

    def _learn_reason(self) -> str | None:
        """Of a finish reason that is new, or none: the kind of answer that it stands for."""
        reason = self._finish_reason()
        if reason is None:
            return None
        self.finish, by_reason = self.meaning.reasons.of(reason)
        return by_reason

    def _finish_reason(self) -> str | None:
        """Of the events without text, else of the last one with text or reasoning: some say both at once."""
        message = self._with_text()
        if self._reason is not None or message is None:
            return self._reason
        part = self.meaning.part if self.meaning.plain else self._part_of(message)
        if part is None or part.finish is None:
            return None
        try:
            reason = part.quick_finish(message)
        except (KeyError, IndexError, TypeError):
            reason = part.finish(message)
        if type(reason) is str and reason not in NO_REASONS:
            self._reason = reason
        return self._reason

    def _may_be_silent(self) -> bool:
        """Whether the mapping found something other than text, so that the answer has a kind; or an answer that merely
        ends is a good one."""
        if self._has_said or "empty_body" in self._signs or self.reasoning_chars or self._null_text():
            return True
        return self.meaning.needs_done and not self.expected.isdisjoint({"empty", "any"})

    def _null_text(self) -> bool:
        """Whether the last event has a null where its text should be."""
        message = self._last_without_text
        if message is NOTHING_CAME or message is None:
            return False
        part = self.meaning.part if self.meaning.plain else self._part_of(message)
        return part is not None and bool(part.null_text(message))

    def _not_good(self, kind: Kind, *, text: bool) -> BadAnswer:
        refusal = self._refusal_text if "refusal" in self._signs else ""
        words = words_for(kind, self.finish, refusal, self.reasoning_chars)
        if text:
            allowed = ", ".join(sorted(self.expected))
            return BadAnswer("expect_failed", f"expect_text allows {allowed}; of this answer: {words}")
        if "empty_body" in self._signs:
            status = f" (HTTP {self.status})" if self.status in NO_CONTENT else ""
            return BadAnswer("answer_empty", f"the answer has no text: its body is empty{status}", NO_BODY_ADVICE)
        advice = f"if such an answer is right, add {kind!r} to expect_text in the target's response mapping"
        last = self._last_without_text
        if kind == "empty" and self.last_content_ns is not None:
            return BadAnswer("answer_empty", "the answer has no text: it is white space alone", advice)
        seen = f"; its last event has {shape(last)}" if kind == "empty" and last is not NOTHING_CAME else ""
        return BadAnswer("answer_empty", f"the answer has no text: {words}{seen}", advice)

    def refused(self, status: int, data: bytes) -> NoReturn:
        """A status that is not 2xx: raises Refused with what the target said about it."""
        raise Refused(status, self._refusal(data), STATUS_ADVICE.get(status, ""))

    def _content(self, ns: int, text: Any, part: Part) -> None:
        if type(text) is not str:
            raise _not_text(text, part)
        if not text:
            self._signs |= {"empty_text"}
            return
        if self.last_content_ns is None:
            self._first_piece(ns)
        else:
            self.gaps_ns.append(ns - self.last_content_ns)
        self.last_content_ns = ns
        self._text.write(text)
        self._room -= len(text)
        if self._room < 0:
            raise _endless_text()

    def _grown(self, text: str) -> str:
        """What a text that grows from event to event has more than before; all of it if it is another one."""
        before = "" if self.first_content_ns is None else self._text.getvalue()
        if text.startswith(before):
            return text[len(before) :]
        self._text = StringIO()
        return text

    def _beside(self, ns: int, part: Part, message: Any) -> None:
        """What an answer may say beside a piece of text: an error, the usage, values to keep, the whole text."""
        if part.error is not None and (error := part.error(message)) is not None and real_error(error):
            raise BadAnswer("target_error", described(message, error))
        if part.usage is not None:
            tokens_in, tokens_out, alone = part.usage(message)
            if tokens_in is not None or tokens_out is not None:
                if tokens_in is not None:
                    self.told_in = tokens_in
                if tokens_out is not None:
                    self.told_out = tokens_out
                self._told = (part, message)
                self.told_alone = alone
        if part.whole is not None and self.last_content_ns is None and (text := part.whole(message)) is not None:
            self._content(ns, text, part)
        for name, get in part.save:
            if (value := get(message)) is not None:
                if self.saved is None:
                    self.saved = {}
                self.saved[name] = mended_value(value) if "halves" in self._signs else value

    def _unmatched(self, message: Any) -> BadAnswer:
        if message is NOTHING_CAME:
            message, seen = None, "no event of it was read"
        else:
            seen = f"the answer has {shape(message)}"
        detail = f"{self.meaning.expected(message)}; {seen}"
        return BadAnswer("answer_unmatched", detail, self._mapping_advice(message))

    def _mapping_advice(self, message: Any) -> str:
        """What to do about an answer that has no text where the mapping looks for it."""
        if "whole" in self._signs and self.meaning.streamed:
            return WHOLE_ADVICE
        if self.meaning.unlisted(message) is not None:
            return UNLISTED_ADVICE
        return COMPARE

    def _odd_event(self, ns: int, data: bytes, error: orjson.JSONDecodeError) -> Any:
        """An event that is no JSON to the letter: its document, or PASSED_OVER for an end mark between spaces."""
        bare = data.strip()
        if bare == self.meaning.part.done_data:
            self.done_ns = ns
            return PASSED_OVER
        if not bare or bare in self.meaning.ignored_data:
            return PASSED_OVER
        return self._odd(data, error)

    def _odd(self, data: bytes, error: orjson.JSONDecodeError) -> Any:
        """A document that is no JSON to the letter."""
        try:
            message = lenient(data, error, self.charset)
        except orjson.JSONDecodeError:
            self._undecodable(data, error)
        self._signs |= {"halves"}
        return message

    def _undecodable(self, data: bytes, error: orjson.JSONDecodeError) -> NoReturn:
        try:
            text = data.decode()
        except UnicodeDecodeError as exc:
            raise BrokenTransport("utf8_invalid", f"byte {exc.start} of an answer is not UTF-8") from exc
        if "depth limit" in str(error):
            raise TooLarge("message_too_deep", "the JSON of an answer is nested too deeply") from error
        raise not_json(text, error)

    def _refusal(self, data: bytes) -> str:
        try:
            message = loads(data, self.charset)
        except orjson.JSONDecodeError:
            text = " ".join(plain_text(data[:SHAPE_LIMIT], self.charset).split())
            return f"{page(data).what}: {text}" if is_page(data) else text
        find = self.meaning.part.error
        error = find(message) if find else None
        return error_text(error if error else message)


def _reason_at(part: Part, message: Any) -> str | None:
    reason = part.finish(message) if part.finish is not None else None
    return reason if type(reason) is str and reason not in NO_REASONS else None


def _endless_text() -> TooLarge:
    return TooLarge("body_too_large", f"the answer's text has more than {TEXT_CHARS} characters")


def _not_text(value: Any, part: Part) -> BadAnswer:
    return BadAnswer("answer_unmatched", f"what is at {part.text_at} is not text: it has {shape(value)}", COMPARE)
