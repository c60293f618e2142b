"""Requests drawn from the API's schema, valid and invalid ones, each undone; counts the answers that break a rule."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from tests.integration.web.permissions.site import SESSIONS, Site
from tests.support.api.rules import rule_of

POSITIVE = GenerationMode.POSITIVE
CHECKS = {
    "server error": not_a_server_error,
    "undocumented status": checks.status_code_conformance,
    "undocumented type": checks.content_type_conformance,
    "answer unlike its schema": checks.response_schema_conformance,
    "invalid accepted": checks.negative_data_rejection,
    "valid refused": checks.positive_data_acceptance,
}
"""What an answer may break."""
TOO_LARGE = 413
"""It refuses too, which the check does not know."""
KEPT = 5
"""Examples of each kind and operation."""
SECRET = "a" * 32  # of the CSRF cookie: the header repeats it


@dataclass
class Tally:
    """What came of the requests of one role."""

    cases: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)
    """Valid requests that were refused for a rule that the schema cannot say."""
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def note(self, rule: str, operation: str, example: str) -> None:
        self.broken[rule] += 1
        kept = self.examples.setdefault((rule, operation), [])
        if len(kept) < KEPT and example not in kept:
            kept.append(example)

    def lines(self) -> Iterator[str]:
        for (rule, operation), found in sorted(self.examples.items()):
            for example in found:
                yield f"{rule}: {operation}: {example}"


@dataclass
class Drawn:
    """Valid or invalid requests of an operation, which are drawn from its schema."""

    operation: Any
    mode: GenerationMode
    strategy: SearchStrategy[Any]
    _last: tuple[tuple[int, int] | None, list[Any]] = (None, [])

    def cases(self, examples: int, number: int, until: float) -> list[Any]:
        """Those of the round `number`, which are the same for every role: drawing one takes longer than sending it."""
        if self._last[0] != (examples, number):
            self._last = (examples, number), _draw(self.strategy, examples, number, until)
        return self._last[1]


def operations(site: Site, raw: dict[str, Any]) -> list[Drawn]:
    """Valid requests are about existing rows; for invalid ones the schema is as it is served. Each operation has both
    in turn, so that a slow round leaves out no kind."""
    kinds = []
    for mode, document in ((POSITIVE, with_rows(site, raw)), (GenerationMode.NEGATIVE, raw)):
        schema: Any = schemathesis.openapi.from_dict(document)
        schema.app = WSGIHandler()
        each = [one.ok() for one in schema.get_all_operations()]
        each = [one for one in each if one.path != "/api/health/"]  # its 503 is no breakdown
        kinds.append([Drawn(one, mode, one.as_strategy(mode)) for one in each])
    return [one for both in zip(*kinds, strict=True) for one in both if one.mode is POSITIVE or _takes(one.operation)]


def _takes(operation: Any) -> bool:
    """Whether it takes anything but credentials. Else no request of it is invalid, which only shows after hundreds of
    draws."""
    told = operation.definition.raw
    return bool(told.get("parameters") or told.get("requestBody"))


def with_rows(site: Site, raw: dict[str, Any]) -> dict[str, Any]:
    """The schema with the ids of existing rows, which no schema can know: valid requests are about them."""
    found, rows = copy.deepcopy(raw), site.rows.references()
    for path, methods in found["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                if parameter["in"] == "path" and name == "id":
                    parameter["schema"] = {"type": parameter["schema"]["type"], "enum": _ids(site, path, parameter)}
                elif name in rows and parameter["schema"]["type"] == "integer":
                    parameter["schema"]["enum"] = [rows[name].pk]
    for name, schema in found["components"]["schemas"].items():
        if name.endswith("Request"):
            for reference, row in rows.items():
                known = schema.get("properties", {}).get(reference)
                if known is not None:
                    several = "items" in known
                    schema["properties"][reference] = (
                        {"type": "array", "items": {"enum": [row.pk]}} if several else {"enum": [row.pk]}
                    )
    return found


def _ids(site: Site, path: str, parameter: dict[str, Any]) -> list[Any]:
    row = site.row(path.replace("{id}", "ID")).pk
    return [row if parameter["schema"]["type"] == "integer" else str(row)]


def press(
    site: Site,
    who: str,
    found: Sequence[Drawn],
    examples: int,
    rounds: Iterable[int],
    until: float,
) -> Tally:
    """As `who`, a role with a session or a token: `examples` valid and as many invalid requests of each operation in
    each round, up to the time `until`."""
    tally, more = Tally(), credentials(site, who)
    with one_connection():
        for number, drawn in ((number, one) for number in rounds for one in found):
            if time.monotonic() > until:
                break
            for case in drawn.cases(examples, number, until):
                _send(site, drawn, case, more, tally)
    return tally


@contextmanager
def one_connection() -> Iterator[None]:
    """Django would close the connection, and with it the rows, when a request ends."""
    ends = (signals.request_started, signals.request_finished)
    for one in ends:
        one.disconnect(close_old_connections)
    try:
        yield
    finally:
        for one in ends:
            one.connect(close_old_connections)


def credentials(site: Site, who: str) -> dict[str, dict[str, str]]:
    if who in SESSIONS:
        cookies = {"sessionid": site.sessions[who], "csrftoken": SECRET}
        return {"cookies": cookies, "headers": {"X-CSRFToken": SECRET}}
    return {"headers": {"Authorization": f"Token {site.tokens[who]}"}}


def _draw(strategy: SearchStrategy[Any], examples: int, number: int, until: float) -> list[Any]:
    limits = settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    found: list[Any] = []

    @limits
    @seed(number)
    @given(case=strategy)
    def one(case: Any) -> None:
        if time.monotonic() < until:
            found.append(case)

    try:
        one()
    except Exception as exc:
        if type(exc).__name__ not in {"Unsatisfiable", "SkipTest"}:
            raise
    return found


def _send(site: Site, drawn: Drawn, case: Any, more: Any, tally: Tally) -> None:
    operation = drawn.operation
    with transaction.atomic():
        site.prepare(operation.path.replace("{id}", "ID"), operation.method.upper())
        if drawn.mode is POSITIVE:
            case.query = {name: _written(value) for name, value in (case.query or {}).items()}
        _judge(case, case.call(**more), operation, tally)
        transaction.set_rollback(True)


def _sends_nothing(case: Any) -> bool:
    """Of what makes its query invalid."""
    return any(value in ({}, []) for value in (case.query or {}).values())


def _written(value: Any) -> Any:
    """As an address has it: 2.0 is an integer in JSON, and the text "2.0" is none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _judge(case: Any, answer: Any, operation: Any, tally: Tally) -> None:
    tally.cases += 1
    tally.by_status[answer.status_code] += 1
    for rule, check in CHECKS.items():
        try:
            case.validate_response(answer, checks=[check])
        except BaseExceptionGroup as exc:
            if rule == "invalid accepted" and (_sends_nothing(case) or answer.status_code == TOO_LARGE):
                continue
            if rule == "valid refused" and (known := rule_of(answer.text)):
                tally.by_rule[known] += 1
                continue
            said = "; ".join(str(one).splitlines()[0] for one in exc.exceptions)
            sent = f"{case.query or ''} {case.body!r}"[:600]
            tally.note(rule, operation.label, f"{answer.status_code} {said} | {sent} | {answer.text[:300]}")
