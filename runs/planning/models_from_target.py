"""Resolves which models the simulated users choose from, and checks that the target's requests contain what users
draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.conf import settings

from connectors.catalogue import fetch_models
from connectors.errors import TurnError
from connectors.mapping.params import lacks_param
from connectors.mapping.unset import explained
from connectors.security.vault import redactor_of
from connectors.spec import SpecError, TargetSpec, parse_target_spec
from connectors.target import CompiledTarget
from runs.load.profile import Load
from runs.load.users import UserProfile
from runs.planning.errors import RequestError

NOT_DRAWN: Final = ("handshake", "models")
"""Parts of a target whose requests always have the target's own params."""


class ModelsUnavailableError(Exception):
    """The target's list of models is unavailable, or none of them is allowed; the message is one line."""


def named_models(load: Load, target: TargetSpec) -> Load:
    """The load with the models that it names and excludes; sends no request. Raises SpecError if the target's requests
    do not have such params."""
    users = load.user_profile
    _check(users, target)
    if users.exclude and not users.models_from_target:
        return load.model_copy(update={"user_profile": users.settled(users.models)})
    return load


def resolve_models(load: Load, target: TargetSpec, secrets: Mapping[str, str]) -> Load:
    """The load with all models that its conversations draw from, including those of the target's own list. Raises
    SpecError if the target's requests do not have such params, ModelsUnavailableError."""
    load = named_models(load, target)
    if not load.user_profile.models_from_target:
        return load
    models = _ask(target, secrets)
    users = load.user_profile.settled(models)
    if not users.models:
        raise ModelsUnavailableError(f"none of the target's {len(models)} models is left after the exclusions")
    return load.model_copy(update={"user_profile": users})


def load_with_models(load: Load, target: TargetSpec, secrets: Mapping[str, str]) -> Load:
    """As `resolve_models`. Raises RequestError."""
    try:
        return resolve_models(load, target, secrets)
    except ModelsUnavailableError as exc:
        raise RequestError("models_unavailable", str(exc)) from exc


def _check(users: UserProfile, target: TargetSpec) -> None:
    drawn = {
        "models": "model" if users.models or users.models_from_target else "",
        "temperature": "temperature" if users.temperature is not None else "",
    }
    for field, param in drawn.items():
        if param and (why := lacks_param(target, param, but=NOT_DRAWN)):
            raise SpecError(f"load.user_profile.{field}: {param!r}: {why}")


def _ask(target: TargetSpec, secrets: Mapping[str, str]) -> list[str]:
    spec = parse_target_spec(target.wire_dict() | {"secrets": dict(secrets)})
    try:
        return fetch_models(spec, allow_private=settings.ALLOW_PRIVATE)
    except SpecError as exc:
        raise ModelsUnavailableError(str(exc)) from exc
    except TurnError as exc:
        explained(exc, CompiledTarget(spec).unset_secrets)
        said = ": ".join(part for part in (exc.code, exc.detail, exc.advice) if part)
        raise ModelsUnavailableError(f"the target's list of models: {redactor_of(spec).error(said)}") from exc
