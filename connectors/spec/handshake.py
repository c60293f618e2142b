"""Specs of the HTTP requests before a conversation."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from connectors.spec.base import Frozen
from connectors.spec.request import Headers, Method


class StepSpec(Frozen):
    """One HTTP request before a conversation. `url` is absolute or a path on the target's own origin.

    `when`: a template; the step is left out if what it names is not there, or empty. `expect`: statuses that are fine
    (none: any 2xx). `save`: variable and path in the answer; templates have it as
    `saved.<variable>`. `per` "run": once in each engine process. What was saved is renewed `expires_s` seconds later,
    or before the answer's own lifetime is over: at its path `expires`, seconds as a number or a text or, from
    1,000,000,000 on, a point in time (seconds, or milliseconds, since 1970).
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    method: Method = "POST"
    url: str
    when: str | None = None
    headers: Headers = Field(default_factory=dict)
    body: Any = None
    expect: list[int] = Field(default_factory=list)
    save: dict[str, str] = Field(default_factory=dict)
    per: Literal["session", "run"] = "session"
    expires_s: float | None = Field(None, gt=0)
    expires: str | None = None


class HandshakeSpec(Frozen):
    """Steps in their order; run again after a turn was refused with a status of `refresh_on`."""

    steps: list[StepSpec] = Field(default_factory=list, max_length=16)
    refresh_on: list[int] = Field(default_factory=lambda: [401])

    @model_validator(mode="after")
    def _order(self) -> Self:
        names = [step.name for step in self.steps]
        taken = {"resolve", "connect", "tls", "upgrade", "socketio", "standing", "greeting"}
        taken |= {"run_wait", "body_wait", "resend", "proxy", "descriptors"}
        if len(set(names)) < len(names) or taken & set(names):
            raise ValueError(f"each step needs a name of its own, other than {', '.join(sorted(taken))}")
        if sorted(self.steps, key=lambda step: step.per) != self.steps:
            raise ValueError("steps that are done once a run come before those of each session")
        return self
