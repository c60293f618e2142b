"""The compiled `tool_results` and `tool_reply` of a target: from tool calls to the request with their results. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from connectors.content.tool_calls import ToolCall
from connectors.content.wording import shape
from connectors.errors import BadAnswer, BadRequest
from connectors.mapping.answers.paths import keys_of, walk
from connectors.mapping.expressions import MISSING, OF_TOOLS, TOOL, Context
from connectors.mapping.filters import BUDGET, Budget
from connectors.mapping.request import RenderedRequest, RequestTemplate
from connectors.mapping.templates import Template, compile_value, value_of
from connectors.opaque.tokens import MARK_BYTES, in_json
from connectors.spec import SpecError, TargetSpec
from connectors.spec.tools import ANY_TOOL, ToolReplySpec

Conceal = Callable[[Any], Any]
Added = Sequence[tuple[int, int, list[Any]]]
"""Messages that are put into the conversation: behind all but so many at its end, and in the place of how many."""


class ToolReply:
    """Raises SpecError when built. `base` and `query` are the target's, as for its own request."""

    def __init__(self, spec: TargetSpec, reply: ToolReplySpec, fold: Context, base: str, query: str) -> None:
        fold = {**fold, **OF_TOOLS}
        self.rounds = spec.tool_rounds
        self._results = {
            name: compile_value(value, f"tool_results.{name}", fold) for name, value in spec.tool_results.items()
        }
        self._call = compile_value(reply.call, "tool_reply.call", fold)
        self._result = compile_value(reply.result, "tool_reply.result", fold)
        self._messages = [
            compile_value(item, f"tool_reply.messages[{i}]", fold) for i, item in enumerate(reply.messages)
        ]
        self._into = reply.into
        self.waits = reply.into is not None
        """Whether a result may wait for the next message of the session."""
        self._body: RequestTemplate | None = None
        self.in_messages = reply.in_messages
        """Whether each result is a message of its own."""
        if reply.body is not None:
            own = spec.request.model_copy(update={"body": reply.body, "encoding": "json", "save": {}})
            self._body = RequestTemplate(own, "tool_reply", fold, base, query)
        elif reply.into is not None and spec.request.encoding != "json":
            raise SpecError(f"tool_reply.into has no effect: the body is of encoding {spec.request.encoding}")
        self._needs_input = "tool.input" in orjson.dumps([reply.call, reply.result]).decode()

    def knows(self, calls: Sequence[ToolCall]) -> bool:
        """Whether all of them have a result."""
        return all(self._result_of(call) is not None for call in calls)

    def _result_of(self, call: ToolCall) -> Template | None:
        named = None if call.name is None else self._results.get(call.name)
        return named or self._results.get(ANY_TOOL)

    def seen(self, context: Context, calls: Sequence[ToolCall], text: str, conceal: Conceal) -> dict[str, Any]:
        """What templates see of an answer: its calls and results in the dialect's shape. `conceal`: secrets that the
        target repeats in it. Raises BadAnswer or BadRequest."""
        context = {**context, BUDGET: Budget()}  # all templates of a round have one together
        made: dict[str, list[Any]] = {"calls": [], "results": []}
        for call in calls:
            known = conceal(self._known(call))
            known["result"] = self._returned(call, {**context, TOOL: known})
            within = {**context, TOOL: known}
            for name, template in (("calls", self._call), ("results", self._result)):
                if (value := value_of(template, within)) is not MISSING and value is not None:
                    made[name].append(value)
        return {**context, TOOL: {**made, "text": conceal(text)}}

    def _known(self, call: ToolCall) -> dict[str, Any]:
        """What there is of a call. Raises BadAnswer."""
        if call.name is None:
            raise BadAnswer("answer_unmatched", "a tool call without a name cannot get a result")
        known: dict[str, Any] = {"name": call.name, "arguments": call.arguments, "raw": call.raw}
        if call.id is not None:
            known["id"] = call.id
        try:
            known["input"] = orjson.loads(call.arguments or "{}")
        except orjson.JSONDecodeError as exc:
            if self._needs_input:
                raise _no_input(call.name, exc) from exc
        return known

    def _returned(self, call: ToolCall, context: Context) -> str:
        """Raises BadAnswer or BadRequest."""
        template = self._result_of(call)
        value = MISSING if template is None else value_of(template, context)
        where = f"tool_results.{call.name if call.name in self._results else ANY_TOOL}"
        if value is MISSING or value is None:
            if "input" not in context[TOOL]:
                raise _no_input(call.name)
            raise BadRequest("request_invalid", f"{where} uses a value that does not exist")
        return value if isinstance(value, str) else _dumped(value, where).decode()

    def messages(self, seen: Context) -> list[Any]:
        """What is appended to the conversation."""
        found: list[Any] = []
        for template in self._messages:
            value = value_of(template, seen)
            if value is not MISSING and value is not None:
                found += value if isinstance(value, list) else [value]
        return found

    def request(self, own: RenderedRequest, seen: Context, added: Added) -> RenderedRequest:
        """The one with the results. `own`: the turn's own. Raises BadRequest."""
        return self.with_messages(own, added) if self._body is None else self._body.render(seen)

    def first(self, own: RenderedRequest, seen: Context) -> list[RenderedRequest]:
        """What is sent before the request. Raises BadRequest."""
        return [own._replace(body=_dumped(value)) for value in seen[TOOL]["results"]] if self.in_messages else []

    def with_messages(self, own: RenderedRequest, added: Added) -> RenderedRequest:
        """Raises BadRequest."""
        if self._into is None or not added:
            return own
        body = orjson.loads(own.body)
        there = walk(keys_of(self._into))(body)
        if type(there) is not list:
            has = f"the body has no list there: it has {shape(body)}"
            raise BadRequest("request_invalid", f"tool_reply.into: {self._into!r}: {has}")
        size = len(there)
        for from_end, replaced, messages in sorted(added, key=lambda one: one[0]):
            at = max(size - from_end, 0)
            there[at : at + replaced] = messages
        return own._replace(body=_dumped(body))


def _no_input(name: str | None, error: orjson.JSONDecodeError | None = None) -> BadAnswer:
    why = "" if error is None else f": {error}"
    return BadAnswer("json_invalid", f"the arguments of the tool call {(name or '')[:40]!r} are not JSON{why}")


def _dumped(value: Any, where: str = "tool_reply") -> bytes:
    """Raises BadRequest."""
    try:
        data = orjson.dumps(value)
    except TypeError as exc:  # half a surrogate pair, an integer of more than 64 bits, or nested too deeply
        raise BadRequest("request_invalid", f"{where}: what it makes cannot be written as JSON: {exc}") from exc
    return in_json(data) if MARK_BYTES in data else data
