"""Secrets that a target's templates use but that are not set: the usual cause of a refused request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import DETAIL_LIMIT, TurnError

NAMING_SECRETS: Final = (
    *("request", "then", "standing", "handshake", "socketio", "codec", "models", "aws_signature"),
    *("hello", "before", "after", "auto_replies", "keep_alive", "goodbye"),
)
"""Parts of a target whose templates may name secrets."""
_SECRET = re.compile(r"\bsecret\.(\w+)")
MOSTLY_SECRETS: Final = frozenset({"http_401", "grpc_unauthenticated"})
_REFUSALS: Final = frozenset(
    {"http_401", "http_403", "grpc_unauthenticated", "grpc_permission_denied", "socketio_refused", "ws_closed_1008"}
)
_SPEAKS_OF_IT = re.compile(
    r"\b(?:un|o)?auth|credential|api[ _-]?key|\bbearer\b|forbidden|password|\b(?:log|sign)[ -]?in\b|access denied|"
    r"permission|\bsecret\.",
    re.IGNORECASE,
)


def named_secrets(spec: Mapping[str, Any]) -> list[str]:
    """Names of the secrets that the templates of a target's data (a `frozen_dict`) use, sorted."""
    return sorted(set(_SECRET.findall(json.dumps({part: spec.get(part) for part in NAMING_SECRETS}))))


def explained(exc: TurnError, unset: tuple[str, ...]) -> TurnError:
    """`exc` with the names of unset secrets, if they may be the cause."""
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
