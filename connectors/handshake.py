"""What comes before a conversation: HTTP requests in a row, whose answers give the values that later requests need.

No I/O: `Handshake.requests` is a generator that yields requests and is sent their answers; each lane carries them
with its own HTTP connector.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import orjson

from connectors.decoding import loads, mended_value
from connectors.errors import DETAIL_LIMIT, BadAnswer, BadRequest, Refused, TooLarge, TurnError
from connectors.mapping import PATH_SAFE, CompiledTarget, RenderedRequest, RequestTemplate, absent
from connectors.paths import Getter, compile_path
from connectors.redirects import REDIRECTS
from connectors.spec import RequestSpec, SpecError, StepSpec, TargetSpec
from connectors.templates import MISSING, Context, compile_string, value_of
from connectors.timeline import Timeline
from connectors.wording import error_text, shape

HTTP_OF = {"ws": "http", "wss": "https", "grpc": "http", "grpcs": "https"}
NEVER_NS = float("inf")
POINT_IN_TIME = 1e9
"""No token lives for thirty years: from this number on an expiry is a time since 1970."""
RENEW_EARLY_S = 10.0
RENEW_EARLY_SHARE = 0.05
"""A token is renewed this much before it expires: a request that is on its way when it does would be refused."""
ORIGINS_LIMIT = 64
"""Different hosts that the steps of one target may go to: each is kept ready."""


class Origin(NamedTuple):
    """Where a step's request goes."""

    scheme: str
    netloc: str


class StepRequest(NamedTuple):
    """A step's request, ready for the wire; `target` is its origin, as an HTTP connector takes it."""

    name: str
    target: CompiledTarget
    request: RenderedRequest
    expect: frozenset[int] = frozenset()


class StepAnswer(NamedTuple):
    status: int
    body: bytes
    charset: str | None = None


class Progress:
    """What steps have given so far, and until when it holds. One a conversation; one more for all of a process.

    `saved` is replaced and never changed: others may go on with what it was while a step is done again.
    """

    def __init__(self) -> None:
        self.saved: dict[str, Any] = {}
        self.done = False
        self.round = 0
        self._until_ns: dict[str, float] = {}

    def due(self) -> bool:
        """Whether steps are to be done, or done again."""
        return not self.done or time.monotonic_ns() >= min(self._until_ns.values(), default=NEVER_NS)

    def holds(self, step: str) -> bool:
        """Whether the step was done and has not expired."""
        return time.monotonic_ns() < self._until_ns.get(step, 0)

    def took(self, step: str, asked_ns: int, saved: dict[str, Any], expires_s: float | None) -> None:
        """`asked_ns` (monotonic): when the step began. What it gave may be as old as that."""
        self.saved = {**self.saved, **saved}
        self._until_ns[step] = NEVER_NS if expires_s is None else asked_ns + expires_s * 1e9

    def forget(self) -> None:
        """All steps are to be done again."""
        self.done = False
        self._until_ns = {}


class _Step:
    """One StepSpec, compiled."""

    def __init__(self, spec: StepSpec, target: TargetSpec, fold: Context) -> None:
        self.spec = spec
        self.where = f"handshake.{spec.name}"
        self._target = target
        self._url = compile_string(spec.url, f"{self.where}.url", fold)
        self._when = compile_string(spec.when, f"{self.where}.when", fold) if spec.when is not None else None
        self._save = [(name, compile_path(path, f"{self.where}.save.{name}")) for name, path in spec.save.items()]
        self._expires: Getter | None = compile_path(spec.expires, f"{self.where}.expires") if spec.expires else None
        request = RequestSpec(method=spec.method, headers=spec.headers, body=spec.body)
        self._request = RequestTemplate(request, self.where, fold)
        self._expect = frozenset(spec.expect)
        self._origins: dict[Origin, CompiledTarget] = {}
        if self._url.render is None:
            self._origin(str(self._url.value))

    def wanted(self, context: Context) -> bool:
        """Whether the step is to be done at all."""
        if self._when is None:
            return True
        value = value_of(self._when, context)
        return value is not MISSING and bool(value)

    def request(self, context: dict[str, Any]) -> StepRequest:
        """Raises BadRequest."""
        url = value_of(self._url, context)
        if url is MISSING or not url:
            raise absent(f"{self.where}.url", self.spec.url, context)
        try:
            origin, path = self._origin(str(url))
        except SpecError as exc:
            raise BadRequest("request_invalid", str(exc)) from exc
        return StepRequest(
            self.spec.name, self._at(origin), self._request.render(context)._replace(path=path), self._expect
        )

    def _at(self, origin: Origin) -> CompiledTarget:
        if (found := self._origins.get(origin)) is None:
            if len(self._origins) >= ORIGINS_LIMIT:
                self._origins.clear()
            own = {"protocol": "http", "url": f"{origin.scheme}://{origin.netloc}", "response": {"text": "@"}}
            spec = self._target
            shared = {"name": spec.name, "timeouts": spec.timeouts, "limits": spec.limits, "tls": spec.tls}
            shared |= {"follow_redirects": spec.follow_redirects, "secrets": spec.secrets, "proxy": spec.proxy}
            found = self._origins[origin] = CompiledTarget(TargetSpec.model_validate(own | shared))
        return found

    def _origin(self, url: str) -> tuple[Origin, str]:
        """Origin and path. Raises SpecError, which shows the template: what it was rendered to may hold a secret."""
        own = urlsplit(self._target.url)
        if url.startswith("/"):
            return Origin(HTTP_OF.get(own.scheme, own.scheme), own.netloc), quote(own.path + url, safe=PATH_SAFE)
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as exc:
            raise SpecError(f"{self.where}.url: {self.spec.url!r} is not a URL") from exc
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise SpecError(f"{self.where}.url: {self.spec.url!r} is neither a path (/token) nor an http(s) URL")
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return Origin(parts.scheme, parts.netloc), quote(path, safe=PATH_SAFE)

    def read(self, answer: StepAnswer) -> tuple[dict[str, Any], float | None]:
        """What is saved, and after how many seconds it is to be renewed. Raises Refused or BadAnswer."""
        fine = answer.status in self.spec.expect if self.spec.expect else 200 <= answer.status < 300
        if not fine:
            said = f"{self.where}: {refusal_text(answer.body)}"
            raise Refused(answer.status, said, "the handshake was refused: check its step and secrets")
        if not self._save and self._expires is None:
            return {}, self.spec.expires_s
        try:
            message = loads(answer.body, answer.charset)
        except orjson.JSONDecodeError as exc:
            raise BadAnswer("json_invalid", f"{self.where}: the answer is not JSON: {exc}") from exc
        saved = {}
        for name, get in self._save:
            if (value := get(message)) is None:
                what = f"{self.where}: nothing at {self.spec.save[name]!r}; the answer has {shape(message)}"
                raise BadAnswer("answer_unmatched", what, "compare the step's `save` paths with the shape shown")
            saved[name] = mended_value(value)
        lifetime_s = told_lifetime_s(self._expires(message)) if self._expires else None
        return saved, self.spec.expires_s if lifetime_s is None else lifetime_s


class Handshake:
    """A HandshakeSpec, compiled. `run` is what all conversations of this process share. Raises SpecError."""

    def __init__(self, target: TargetSpec, fold: Context) -> None:
        steps = [_Step(step, target, fold) for step in target.handshake.steps]
        self._fold = fold
        self.refresh_on = frozenset(target.handshake.refresh_on)
        self.of_run = [step for step in steps if step.spec.per == "run"]
        self.of_session = [step for step in steps if step.spec.per == "session"]
        self.run = Progress()

    def run_due(self) -> bool:
        """Whether the run's own steps are to be done."""
        return bool(self.of_run) and self.run.due()

    def run_steps(self) -> Generator[StepRequest, StepAnswer, None]:
        return self.requests(self.of_run, self.run, {}, {})

    @staticmethod
    def new_progress() -> Progress:
        return Progress()

    def requests(
        self, steps: list[_Step], progress: Progress, session: Context, before: Context
    ) -> Generator[StepRequest, StepAnswer, None]:
        """Yields the request of each step that is due and takes its answer. `before`: what is saved already.

        Raises BadRequest, Refused or BadAnswer.
        """
        for step in steps:
            if progress.holds(step.spec.name):
                continue
            context = {**self._fold, "session": session, "saved": {**before, **progress.saved}}
            if step.wanted(context):
                asked_ns = time.monotonic_ns()
                answer = yield step.request(context)
                progress.took(step.spec.name, asked_ns, *step.read(answer))
            else:
                progress.took(step.spec.name, 0, {}, None)
        progress.done = True
        progress.round += 1


def told_lifetime_s(told: Any) -> float | None:
    """Seconds after which to renew what a target says lives for `told` seconds, or until then; None if it says
    nothing that can be used."""
    if isinstance(told, bool):
        return None
    try:
        number = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    if number >= POINT_IN_TIME:
        at_s = number / 1000 if number >= 1000 * POINT_IN_TIME else number
        number = max(at_s - time.time(), 0.0)
    return number - min(RENEW_EARLY_S, RENEW_EARLY_SHARE * number)


class StepTimeline(Timeline):
    """Keeps an answer as it came, whatever its status, unless it is a redirect that is to be followed."""

    __slots__ = ("_expect", "_follow", "body")

    def __init__(self, step: StepRequest, planned_ns: int) -> None:
        super().__init__(step.target.meaning, planned_ns)
        self._follow = step.target.spec.follow_redirects
        self._expect = step.expect
        self.body = b""

    def answer(self, ns: int, data: bytes) -> None:
        self.body = data
        self.done_ns = ns

    def refused(self, status: int, data: bytes) -> None:  # type: ignore[override] # here a status is no failure
        if self._follow and status in REDIRECTS and status not in self._expect:
            super().refused(status, data)
        self.status = status
        self.body = data
        self.done_ns = time.monotonic_ns()


def of_step(name: str, exc: TurnError) -> TurnError:
    """`exc`, which a step's request ran into, with the step's name."""
    where = f"handshake.{name}: "
    if not exc.detail.startswith(where):
        exc.detail = f"{where}{exc.detail}"[:DETAIL_LIMIT]
        exc.args = (f"{exc.code}: {exc.detail}",)
    return exc


def refusal_text(body: bytes) -> str:
    """What an error's body says, on one line."""
    try:
        return error_text(loads(body))
    except (orjson.JSONDecodeError, TooLarge):
        return " ".join(body[:160].decode(errors="replace").split())
