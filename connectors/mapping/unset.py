"""Secrets that a target's templates use but that are not set: the usual cause of a refused request."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from connectors.errors import DETAIL_LIMIT, TurnError
from connectors.template_text import BEGIN

NAMING_SECRETS: Final = (
    *("request", "then", "standing", "handshake", "socketio", "codec", "models", "aws_signature"),
    *("hello", "before", "after", "auto_replies", "keep_alive", "goodbye"),
)
"""Parts of a target whose templates may name secrets."""
_SECRET = re.compile(rf"{BEGIN}secret\.(\w+)")
MOSTLY_SECRETS: Final = frozenset({"http_401", "grpc_unauthenticated"})
_REFUSALS: Final = frozenset(
    {"http_401", "http_403", "grpc_unauthenticated", "grpc_permission_denied", "socketio_refused", "ws_closed_1008"}
)
CLOCK: Final = "the clock of this machine"
CLOCK_ADVICE: Final = (
    f"set {CLOCK}: a signature is valid for minutes around its time (compare `date -u` with the header Date of the "
    "answer, as `curl -i` shows it)"
)
_OF_CLOCKS: Final = frozenset({"http_400", "http_401", "http_403"})
_SPEAKS_OF_TIME: Final = re.compile(
    r"\bsignature (?:has )?expired\b|\bsignature not yet current\b|RequestTimeTooSkewed|\b(?:clock|time) ?skew|"
    r"difference between the request time and the current time|\bcheck your iat and exp\b|"
    r"\bassertion is not within its valid time range\b|\btoken (?:is )?(?:not yet valid|used before issued)\b",
    re.IGNORECASE,
)
_SPEAKS_OF_IT = re.compile(
    r"\b(?:un|o)?auth|credential|api[ _-]?key|\bbearer\b|forbidden|password|\b(?:log|sign)[ -]?in\b|access denied|"
    r"permission|\bsecret\.",
    re.IGNORECASE,
)


def named_secrets(spec: Mapping[str, Any]) -> list[str]:
    """Names of the secrets that the templates of a target's data (a `frozen_dict`) use, sorted."""
    return sorted(set(_SECRET.findall(json.dumps({part: spec.get(part) for part in NAMING_SECRETS}))))


def missing_secrets(spec: Mapping[str, Any], given: Collection[str]) -> tuple[str, ...]:
    """Names of secrets that the templates use and that are not `given`, without those of other ways to log in than the
    one that was chosen: a signature, a handshake step with `when`, or the header Authorization."""
    signature = spec.get("aws_signature") or {}
    ways = [
        ({*_names(signature.get("access_key"))}, {*_names([signature.get("access_key"), signature.get("secret_key")])})
    ]
    steps = (spec.get("handshake") or {}).get("steps") or ()
    ways += [({*_names(step["when"])}, {*_names(step)}) for step in steps if step.get("when")]
    direct = {*_names([value for name, value in _headers(spec) if name.lower() == "authorization"])}
    others = set().union(*(names for _, names in ways))
    chosen = set().union(*(names for condition, names in ways if not condition.isdisjoint(given)))
    unneeded = {*_names(signature.get("session_token"))}
    if chosen:
        unneeded |= (others | direct) - chosen
    elif not direct.isdisjoint(given):
        unneeded |= others - direct
    return tuple(name for name in named_secrets(spec) if name not in given and name not in unneeded)


def _headers(spec: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    return ((spec.get("request") or {}).get("headers") or {}).items()


def _names(part: Any) -> list[str]:
    return _SECRET.findall(json.dumps(part))


def explained(exc: TurnError, unset: tuple[str, ...]) -> TurnError:
    """`exc` with the names of unset secrets, or with the clock, if they may be the cause."""
    if exc.code in _OF_CLOCKS and _SPEAKS_OF_TIME.search(exc.detail):
        if CLOCK not in exc.advice:
            exc.advice = CLOCK_ADVICE
        return exc
    if not unset or not _may_come_of_it(exc):
        return exc
    unset = tuple(name for name in unset if f"secret.{name}" in exc.detail) or unset
    names = ", ".join(unset)
    said = f"the secret {names} is not set" if len(unset) == 1 else f"the secrets {names} are not set"
    if said in exc.detail:
        return exc
    if exc.detail:
        said = f"{exc.detail[: DETAIL_LIMIT - len(said) - 2]}; {said}"
    exc.detail = said[:DETAIL_LIMIT]
    exc.args = (f"{exc.code}: {exc.detail}",)
    variables = " and ".join(f"TOKENBURN_SECRET_{name.upper()}" for name in unset)
    advice = f"set {names} among the target's secrets (on the command line {variables})"
    likely = exc.code in MOSTLY_SECRETS or "secret." in exc.detail
    parts = (advice, exc.advice) if likely else (exc.advice, advice)
    exc.advice = "; else ".join(part for part in parts if part)
    return exc


def _may_come_of_it(exc: TurnError) -> bool:
    if exc.code in _REFUSALS or exc.code.startswith("ws_closed_4"):
        return True
    return exc.outcome == "error" and _SPEAKS_OF_IT.search(exc.detail) is not None
