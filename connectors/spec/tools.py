"""Canned results of tool calls, and how a dialect sends them back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import Field, model_validator

from connectors.spec.base import Frozen

if TYPE_CHECKING:
    from connectors.spec.response import ResponseSpec
    from connectors.spec.secret_places import SecretPlaces

ANY_TOOL: Final = "*"
LASTING: Final = "websocket"
"""The protocol whose connection lasts and takes results."""
ROUNDS: Final = 8
MOST_ROUNDS: Final = 32


def offers_tools(params: Mapping[str, Any]) -> bool:
    """Whether a target's requests declare some. Vendors call the param `tools`, `tool_config` or the like."""
    return any("tool" in name.lower() and value for name, value in params.items())


class ToolReplySpec(Frozen):
    """How the results of an answer's tool calls are sent back. All strings are templates.

    `call` is one call and `result` one result as the dialect has them. `messages` are appended to the list at the path
    `into` of the request's body, after those of the rounds before; one that is a list is taken as its items. Where the
    target keeps the conversation, `body` is sent instead of the request's; without both, each result is a message of
    its own on a connection that lasts, and the request is sent again behind them.
    """

    call: Any = None
    result: Any = None
    into: str | None = Field(None, pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    messages: list[Any] = Field(default_factory=list, max_length=16)
    body: Any = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.into is not None and self.body is not None:
            raise ValueError("give either `into` with `messages`, or `body`")
        if (self.into is None) == bool(self.messages):
            raise ValueError("`into` and `messages` belong together")
        if self.in_messages and self.result is None:
            raise ValueError("give `into`, `body`, or a `result` that is a message of its own")
        return self

    @property
    def in_messages(self) -> bool:
        """Whether each result is a message of its own, after which the request is sent again."""
        return self.into is None and self.body is None


class ToolsSpec(Frozen):
    """`tool_results`: what each tool returns, by its name; "*" is for all others. `tool_rounds`: how often results are
    sent back in one turn at most; those that are left go with the next message of the session."""

    tool_reply: ToolReplySpec | None = None
    tool_results: dict[str, Any] = Field(default_factory=dict)
    tool_rounds: int = Field(ROUNDS, ge=0, le=MOST_ROUNDS)

    def check_tools(
        self, protocols: Collection[str], protocol: str, response: ResponseSpec, several: Mapping[str, object]
    ) -> None:
        """Raises ValueError naming what has no effect. `protocols`: those in which results can be sent back; `several`:
        what makes several requests of a turn."""
        for problem in self._problems(protocols, protocol, response, several):
            raise ValueError(problem)

    def _problems(
        self, protocols: Collection[str], protocol: str, response: ResponseSpec, several: Mapping[str, object]
    ) -> Iterator[str]:
        if not self.tool_results:
            if self.tool_rounds != ROUNDS:
                yield "tool_rounds has no effect without tool_results"
            return
        if protocol not in protocols:
            yield f"tool_results has no effect with protocol {protocol}: it is for {', '.join(sorted(protocols))}"
        if self.tool_reply is None:
            yield "tool_results: the preset does not say how a result is sent back: give tool_reply"
        elif self.tool_reply.in_messages and protocol != LASTING:
            yield f"tool_reply: with protocol {protocol} a result is part of a request: give `into` or `body`"
        elif self.tool_reply.into is None and not self.tool_rounds:
            yield "tool_rounds: results can wait for the next message only where tool_reply has `into`; give 1 or more"
        if not any(part.calls is not None for part in (response, *response.kinds.values())):
            yield "tool_results has no effect: response.calls does not say where tool calls are"
        for name in (name for name, given in several.items() if given):
            yield f"tool_results has no effect beside {name}: its turns are several requests already"

    def tool_secrets(self, places: SecretPlaces) -> None:
        """Raises ValueError naming the place of a secret: what a tool returns goes to the model."""
        reply = None if self.tool_reply is None else self.tool_reply.model_dump()
        places.nowhere(self.tool_results, "tool_results", "the result of a tool")
        places.nowhere(reply, "tool_reply", "the result of a tool")
