"""Specs of the HTTP requests before a conversation."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from connectors.spec.base import Frozen
from connectors.spec.request import Encoding, Headers, Method, check_encoding
from connectors.spec.response import Condition
from connectors.spec.saving import Save
from connectors.template_text import naming

EVERY_S: Final = 1.0
WITHIN_S: Final = 30.0
TAKEN: Final = frozenset(
    {
        "resolve", "connect", "tls", "upgrade", "socketio", "standing", "greeting", "run_wait", "body_wait",
        "stream_wait", "settings", "resend", "proxy", "descriptors",
    }
)  # fmt: skip
"""Names under which other parts of connecting, and of a turn, are timed."""
_names_jwt: Final = naming("jwt")


class AskSpec(Frozen):
    """One HTTP request beside the turns' own. `url` is absolute or a path below the target's address; empty: that
    address itself.

    `expect`: statuses that are fine (none: any 2xx). `save`: variable and where it stands in the answer; templates have
    it as `saved.<variable>`. `until`: the request is sent again, `every_s` seconds (1) after the answer before, until
    an answer meets this condition; `within_s` seconds (30) after the first request no other one is sent. `read` "sse":
    the answer is a stream of server-sent events, of which the first that meets `until` is read, or the first.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    method: Method = "POST"
    url: str
    headers: Headers = Field(default_factory=dict)
    encoding: Encoding = "json"
    body: Any = None
    expect: list[int] = Field(default_factory=list)
    save: Save = Field(default_factory=dict)
    read: Literal["whole", "sse"] = "whole"
    until: Condition | None = None
    every_s: float | None = Field(None, ge=0.05, le=3600)
    within_s: float | None = Field(None, gt=0, le=3600)

    @model_validator(mode="after")
    def _body_is_encoded(self) -> Self:
        check_encoding(self.encoding, self.body, self.headers)
        return self

    @model_validator(mode="after")
    def _polls(self) -> Self:
        polls = self.until is not None and self.read == "whole"
        for name, value in (("every_s", self.every_s), ("within_s", self.within_s)):
            if value is not None and not polls:
                why = "the stream is opened once" if self.read == "sse" else "without `until` it is sent once"
                raise ValueError(f"{name} has no effect: {why}")
        return self


class JwtSpec(Frozen):
    """A JSON Web Token, which a step's templates have as `jwt`. `key`: a secret as it is: a private key (PEM or JWK),
    the JSON file of a service account, or what HS256 shares. `claims`: a template without secrets, in which null is
    left out; `iat` and `exp` (`lifetime_s` later) are added, as are the step's absolute `url` as `aud`, and `iss` and
    the key's id of a service account."""

    key: str
    algorithm: Literal["RS256", "ES256", "HS256"] = "RS256"
    key_id: str = ""
    claims: dict[str, Any] = Field(default_factory=dict)
    lifetime_s: int = Field(3600, ge=1, le=86400)


class StepSpec(AskSpec):
    """One HTTP request before a conversation.

    `when`: a template; the step is left out if what it names is not there, or empty. `per` "run": once in each engine
    process. What was saved is renewed `expires_s` seconds later, or before the answer's own lifetime is over: at its
    path `expires`, seconds as a number or a text or, from 1,000,000,000 on, a point in time (seconds, or milliseconds,
    since 1970).
    """

    when: str | None = None
    per: Literal["session", "run"] = "session"
    expires_s: float | None = Field(None, gt=0)
    expires: str | None = None
    jwt: JwtSpec | None = None

    @model_validator(mode="after")
    def _uses_jwt(self) -> Self:
        if self.jwt is not None and not _names_jwt(str((self.url, self.headers, self.body))):
            raise ValueError("jwt has no effect: put {{ jwt }} into the step's body, a header or its url")
        return self

    def within(self, limit_s: float) -> StepSpec:
        """The same, not repeated for longer than that."""
        if self.until is None or self.read == "sse":
            return self
        return self.model_copy(update={"within_s": min(self.within_s or WITHIN_S, limit_s)})


class GoodbyeSpec(AskSpec):
    """One HTTP request at the end of a conversation. Nothing follows it, so that nothing is saved or waited for."""

    method: Method = "DELETE"

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        given = {"save": bool(self.save), "until": self.until is not None, "read": self.read != "whole"}
        for name, is_given in given.items():
            if is_given:
                raise ValueError(f"{name} has no effect: no request follows that could use what is read")
        return self


class HandshakeSpec(Frozen):
    """Steps in their order; run again after a turn was refused with a status of `refresh_on`. `goodbye`: at the end of
    each conversation that has sent a message."""

    goodbye: list[GoodbyeSpec] = Field(default_factory=list, max_length=4)
    steps: list[StepSpec] = Field(default_factory=list, max_length=16)
    refresh_on: list[int] = Field(default_factory=lambda: [401])

    @model_validator(mode="after")
    def _order(self) -> Self:
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names) or TAKEN & set(names):
            raise ValueError(f"each step needs a name of its own, other than {', '.join(sorted(TAKEN))}")
        if sorted(self.steps, key=lambda step: step.per) != self.steps:
            raise ValueError("steps that are done once a run come before those of each session")
        if len({one.name for one in self.goodbye}) < len(self.goodbye):
            raise ValueError("each request of `goodbye` needs a name of its own")
        return self
