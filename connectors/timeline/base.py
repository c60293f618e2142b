"""Times and text of one turn, filled by synchronous calls as bytes arrive. Both lanes feed it; it interprets the bytes.

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
from io import StringIO
from typing import Any

import orjson

from connectors.content.decoding import loads, mended_value
from connectors.content.said_errors import described, real_error, said_error
from connectors.content.wording import STATUS_ADVICE
from connectors.errors import BadAnswer, Refused, TooLarge, TurnError
from connectors.mapping.answers.part import Part
from connectors.timeline.judge import JudgedTurn
from connectors.timeline.odd_answers import TEXT_CHARS, endless_text, not_text, read_leniently, told_by
from connectors.timeline.state import NO_CONTENT, NO_TIMES

PASSED_OVER = object()
"""Content of an event without information."""
LATEST_NS = 1 << 62
"""A target may send any number as a stamp, and 64 bits must hold the difference."""


class Timeline(JudgedTurn):
    """Raises TurnError (BadAnswer, Refused, ...) from `event`, `answer`, `refused`, `end` and `settle`."""

    __slots__ = ()

    # Functions that an object holds are read into a local before they are called: Python 3.11 specialises that, and
    # not a call such as `part.piece(message)`, which it looks up as a method of the class first.

    def event(self, ns: int, data: bytes) -> None:  # noqa: PLR0912, PLR0915 - a call for each part would cost as much as it does
        """One whole event of a stream, arrived at `ns`. The hot path: it runs for every token."""
        if self.first_chunk_ns is None:
            self.first_chunk_ns = ns
        response = self.response
        part = response.part
        if self._decode is not None:
            data = self.decoded(data)
        if data == part.done_data:
            self.done_ns = ns
            return
        if not data or (not response.plain and data in response.ignored_data):
            return  # an event with empty data is how some servers keep a stream alive
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            message = self._odd_event(ns, data, exc)
            if message is PASSED_OVER:
                return
        if not response.plain:
            found = self._part_of(message)
            if found is None:
                self._passed_over(message)
                return
            part = found
        quick_piece = part.quick_piece
        try:
            text = quick_piece(message)
        except (KeyError, IndexError, TypeError):
            text = None
        if response.cumulative and type(text) is str:
            text = self._grown(text)
        if text:
            if self.last_content_ns is None:
                self._content(ns, text, part)
            else:
                try:
                    self._room -= self._text.write(text)
                except TypeError:
                    raise not_text(text, part) from None
                if self._room < 0:
                    raise endless_text()
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
                self._told_beside(ns, part, message, data)
        if (get_stamp := part.stamp) is not None:
            stamp = get_stamp(message)
            if type(stamp) is int and stamp >= 0 and stamp < LATEST_NS:
                errors = self.arrival_errors
                if errors is NO_TIMES:
                    errors = self.arrival_errors = array("q")
                errors.append(ns - stamp)
        if type(message) is dict and not part.beside_keys.isdisjoint(message):
            self._beside(ns, part, message)
        done_test = part.done_test
        if (done_test is not None and done_test(message)) or (self._one_frame and self._has_said):
            self.done_ns = ns

    def answer(self, ns: int, data: bytes) -> None:
        """A whole answer, its last byte arrived at `ns`."""
        if not data:
            self._without_body(ns)
            return
        self.first_chunk_ns = ns
        if self._decode is not None:
            data = self.whole_decoded(data)
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError as exc:
            message = self._odd(data, exc)
        response = self.response
        part = response.part if response.plain else response.part_of(message)
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
            quick_piece = part.quick_piece
            try:
                text = quick_piece(message)
            except (KeyError, IndexError, TypeError):
                text = None
            if type(text) is str and text and len(text) <= TEXT_CHARS:
                self._whole = text
                self.first_content_ns = self.last_content_ns = ns
                self._judge_whole(message, text, data)
            else:
                self._odd_text(ns, text, part, message, data)
        get_stamp = part.stamp
        if get_stamp is not None and type(stamp := get_stamp(message)) is int and stamp >= 0 and stamp < LATEST_NS:
            self.arrival_errors = array("q", (ns - stamp,))
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
            Timeline(self.response, self.planned_ns, decode=self._decode).event(self.planned_ns, data)

    def aside(self, data: bytes) -> None:
        """A message beside a streamed answer, which may carry an error or values to save. It need not be JSON."""
        try:
            message = loads(data, self.charset)
        except (orjson.JSONDecodeError, TooLarge):
            return
        part = self.response.part
        if part.error is not None and real_error(error := part.error(message)):
            raise BadAnswer("target_error", described(message, error))
        if self.response.known_errors:
            self._no_error(said_error(message))
        for name, get in part.save:
            if (value := get(message)) is not None:
                self.saved = {**(self.saved or {}), name: mended_value(value)}

    def end(self, ns: int) -> None:
        """The transport ended the answer properly. A stream with an end mark must have shown it, or its finish reason:
        vendors' own clients accept a stream without `[DONE]`."""
        if self.done_ns is not None:
            return
        if self.response.needs_done and self._finish_reason() is None:
            if self.response.known_errors and (message := self._with_text()) is not None:
                self._no_error_beside(message)
            what = f"the stream ended without its end mark ({self.response.end_marks}){self._seen()}"
            raise BadAnswer("stream_incomplete", what, "the answer was cut off, or `done` is not how it ends")
        self.done_ns = ns

    def refused(self, status: int, data: bytes) -> None:
        raise self.refusal(status, data)

    def refusal(self, status: int, data: bytes) -> Refused:
        """The error of a status that is not 2xx, with what the target said about it."""
        return Refused(status, told_by(data, self.charset, self.response.part.error), STATUS_ADVICE.get(status, ""))

    def _odd_text(self, ns: int, text: Any, part: Part, message: Any, data: bytes) -> None:
        """A whole answer whose text is missing, empty, far too long or no text at all."""
        if text is not None:
            self._content(ns, text, part)
        if self.last_content_ns is None:
            self._last_without_text = message
            self._signs |= {"whole"}
            self._told_beside(ns, part, message, data)

    def _without_body(self, ns: int) -> None:
        """Where a stream was to come, its end mark is missing, unless the status says that there is no body."""
        if self.response.needs_done and self.status not in NO_CONTENT:
            self.end(ns)
        self._signs |= {"empty_body"}
        self.done_ns = ns

    def _passed_over(self, message: Any) -> None:
        """An event that the mapping does not read."""
        self._last_without_text = message
        if self.response.known_errors and not self.response.ignores(message):
            # One of a kind that is not listed may have an error beside it, such as a tool's; one of no kind says it.
            self._no_error(said_error(message, typed=self.response.unlisted(message) is not None))

    def _thought(self, part: Part, message: Any) -> None:
        if part.reasoning is not None and type(thought := part.reasoning(message)) is str:
            self.reasoning_chars += len(thought)

    def _first_piece(self, ns: int) -> None:
        """What pieces are kept in: compact, for an endless stream of small tokens must not cost many times its size."""
        self.first_content_ns = ns
        self._text = StringIO()
        self._room = TEXT_CHARS
        self.gaps_ns = array("q")

    def _content(self, ns: int, text: Any, part: Part) -> None:
        if type(text) is not str:
            raise not_text(text, part)
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
            raise endless_text()

    def _beside(self, ns: int, part: Part, message: Any) -> None:
        """What an answer may say beside a piece of text: an error, the usage, values to keep, the whole text."""
        get_error, get_usage = part.error, part.usage
        if get_error is not None and (error := get_error(message)) is not None and real_error(error):
            raise BadAnswer("target_error", described(message, error))
        if get_usage is not None:
            tokens_in, tokens_out, alone = get_usage(message)
            if tokens_in is not None or tokens_out is not None:
                if tokens_in is not None:
                    self.told_in = tokens_in
                if tokens_out is not None:
                    self.told_out = tokens_out
                if alone and type(tokens_in) is int and type(tokens_out) is int:
                    self.told_alone = True
                    self._told = None
                else:
                    self.told_alone = False
                    self._told = (part, message)
        if part.whole is not None and self.last_content_ns is None and (text := part.whole(message)) is not None:
            self._content(ns, text, part)
        if part.save:
            self._save(part, message)
        if part.calls_beside is not None:
            self._take_calls(ns, part.calls_beside, message)

    def _odd_event(self, ns: int, data: bytes, error: orjson.JSONDecodeError) -> Any:
        """An event that is no JSON to the letter: its document, or PASSED_OVER for an end mark between spaces."""
        bare = data.strip()
        if bare == self.response.part.done_data:
            self.done_ns = ns
            return PASSED_OVER
        if not bare or bare in self.response.ignored_data:
            return PASSED_OVER
        return self._odd(data, error)

    def _odd(self, data: bytes, error: orjson.JSONDecodeError) -> Any:
        """A document that is no JSON to the letter."""
        message = read_leniently(data, error, self.charset)
        self._signs |= {"halves"}
        return message
