"""What an answer was when its turn is over: its kind, its tokens, and whether it is a good one."""

from __future__ import annotations

from typing import Any

from connectors.content.answers import BLANK, NO_REASONS, Kind, begins_elsewhere, is_good, kind_of, words_for
from connectors.content.decoding import mended_value
from connectors.content.foreign import WHOLE_ADVICE
from connectors.content.said_errors import said_error
from connectors.content.usage import NOTHING, Told, find, find_beside, read
from connectors.content.wording import shape
from connectors.errors import BadAnswer
from connectors.mapping.answers.part import Part
from connectors.timeline.odd_answers import COMPARE
from connectors.timeline.state import NO_CONTENT, NOTHING_CAME, REFUSAL_CHARS, TurnState

UNLISTED_ADVICE = "if such events hold the text, add their kind to response.kinds"
NO_BODY_ADVICE = (
    "check the address; an answer that comes over another connection needs the style split; if no answer is right, add "
    "'empty' to expect_text in the target's response mapping"
)


class JudgedTurn(TurnState):
    """`settle` raises BadAnswer."""

    __slots__ = ()

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
        if told.output is not None or not self.response.reads_usage:
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
        return self.response.reads_usage and self.told_out is None and self.told.output is None

    def lacking(self) -> str:
        """What an answer that has begun still lacks, for the message of a time limit. Empty: nothing is known."""
        if self.first_chunk_ns is None or self.done_ns is not None:
            return ""
        if self.first_content_ns is None:
            if self._last_without_text is NOTHING_CAME:
                return ""
            return f"; {self.response.expected(self._last_without_text)}: it has {shape(self._last_without_text)}"
        return f"; text came, and no end mark ({self.response.end_marks})" if self.response.needs_done else ""

    def settle(self) -> None:
        """The turn is over: find the kind of its answer, where its `kind` does not yet say that it is simply text, as
        that of nearly every whole answer. Raises BadAnswer if it is not a good one: `target_error`, `answer_empty`,
        `answer_unmatched`, `expect_failed`."""
        response = self.response
        reason = self._reason
        try:
            message = self._with_text()
            if response.known_errors and message is not None and not response.is_harmless(message):
                self._no_error_beside(message)
            if reason is None:
                reason = response.quick_finish(message)
            self.finish, by_reason = response.reasons.known[reason]
        except (KeyError, IndexError, TypeError):
            by_reason = self._learn_reason()
        said = self._whole
        if not said and self.last_content_ns is not None:
            said = self._whole = self._text.getvalue()
            self._compare_with_the_whole(said)
        seen = said and said.isascii() and not said.isspace()  # a strip of all that is blank costs more
        if by_reason is None and not self._signs and (seen or said.strip(BLANK)) and "text" in self.expected:
            self.kind = "text"  # as nearly every streamed answer is
        else:
            self._settle_rare(by_reason, said)

    def _judge_whole(self, message: Any, text: str, data: bytes) -> None:
        """A whole answer has just come, with this text: if that is known to be all, nobody needs to read it again."""
        response = self.response
        is_harmless, quick_finish = response.is_harmless, response.quick_finish
        try:
            if is_harmless(message) or not response.known_errors:
                finish, by_reason = response.reasons.known[quick_finish(message)]
                if (
                    by_reason is None
                    and not self._signs
                    and text.isascii()
                    and not text.isspace()
                    and "text" in self.expected
                ):
                    self.kind = "text"
                    self.finish = finish
                    self._text_event = data
                    return
        except (KeyError, IndexError, TypeError):
            pass
        self._last_with_text = message

    def _save(self, part: Part, message: Any) -> None:
        """Keep the values that the mapping saves of an event or answer."""
        for name, get in part.save:
            if (value := get(message)) is not None:
                if self.saved is None:
                    self.saved = {}
                self.saved[name] = mended_value(value) if "halves" in self._signs else value

    def _settle_rare(self, by_reason: str | None, said: str) -> None:
        """Of an answer that is not simply text. `by_reason`: the kind that its finish reason stands for; `said`: its
        text."""
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
            result="result" in self._signs,
        )
        if not is_good(self.kind, text=text, expected=self.expected):
            raise self._not_good(self.kind, text=text)

    def _compare_with_the_whole(self, said: str) -> None:
        message, response = self._last_without_text, self.response
        if message is NOTHING_CAME:
            return
        part = response.part if response.plain else self._part_of(message)
        whole = None if part is None or part.whole is None else part.whole(message)
        self.has_unsolicited_text = type(whole) is str and begins_elsewhere(said, whole)

    def _look_beside_blank(self) -> None:
        """Errors beside white space, which were not searched while it seemed to be an answer."""
        message = self._with_text()
        part = self.response.part if self.response.plain else self._part_of(message)
        if part is not None:
            self._told_beside(self.last_content_ns or 0, part, message)

    def _told_beside(self, ns: int, part: Part, message: Any, data: bytes | None = None) -> None:
        """What an event or answer of `ns` says that has no text: why it ended, a tool call, a result, a refusal, an
        error. `data`: it as it came, where that is at hand."""
        if part.tells is not None and (data is None or part.tells(data) is not None or "halves" in self._signs):
            if part.finish is not None:
                self._reason = _reason_at(part, message) or self._reason
            if part.tool_call is not None and part.tool_call(message):
                self._signs |= {"tool_call"}
            if part.calls is not None and part.calls_beside is None:  # `_beside` reads that
                self._take_calls(ns, part.calls, message)
            if part.result is not None and part.result(message):
                self._signs |= {"result"}
            if part.refusal is not None and type(said := part.refusal(message)) is str:
                before = self._refusal_text if "refusal" in self._signs else ""
                self._refusal_text = before + said[: REFUSAL_CHARS - len(before)]
                if self._refusal_text:
                    self._signs |= {"refusal"}
        if self.response.known_errors and not (part.error is not None and part.error(message)):  # `_beside` reads that
            beside_text = part.whole is not None and bool(part.whole(message))
            self._no_error(said_error(message, beside_text=beside_text))

    def _learn_reason(self) -> str | None:
        """The kind of answer for a new or missing finish reason."""
        reason = self._finish_reason()
        if reason is None:
            return None
        self.finish, by_reason = self.response.reasons.of(reason)
        return by_reason

    def _may_be_silent(self) -> bool:
        """Whether the mapping found something other than text, so that the answer has a kind; or an answer that merely
        ends is a good one."""
        if self._has_said or "empty_body" in self._signs or self.reasoning_chars or self._null_text():
            return True
        return self.response.needs_done and not self.expected.isdisjoint({"empty", "any"})

    def _null_text(self) -> bool:
        """Whether the last event has a null where its text should be."""
        message = self._last_without_text
        if message is NOTHING_CAME or message is None:
            return False
        part = self.response.part if self.response.plain else self._part_of(message)
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

    def _unmatched(self, message: Any) -> BadAnswer:
        if message is NOTHING_CAME:
            message, seen = None, "no event of it was read"
        else:
            seen = f"the answer has {shape(message)}"
        detail = f"{self.response.expected(message)}; {seen}"
        return BadAnswer("answer_unmatched", detail, self._mapping_advice(message))

    def _mapping_advice(self, message: Any) -> str:
        """What to do about an answer that has no text where the mapping looks for it."""
        if "whole" in self._signs and self.response.streamed:
            return WHOLE_ADVICE
        if self.response.unlisted(message) is not None:
            return UNLISTED_ADVICE
        return COMPARE


def _reason_at(part: Part, message: Any) -> str | None:
    reason = part.finish(message) if part.finish is not None else None
    return reason if type(reason) is str and reason not in NO_REASONS else None
