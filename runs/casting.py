"""Whom the people of a load are, before anything is recorded: their models are asked for, and what they draw must be
something that the target's requests have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.conf import settings

from connectors.catalogue import fetch_models
from connectors.errors import TurnError
from connectors.mapping import CompiledTarget
from connectors.params import lacks_param
from connectors.redact import Redactor
from connectors.spec import SpecError, TargetSpec, parse_target_spec
from connectors.unset import explained
from runs.engine.people import People
from runs.engine.spec import Load

NOT_DRAWN: Final = ("handshake", "models")
"""Parts of a target whose requests always have its own params."""


class ModelsUnavailableError(Exception):
    """The target's list of models could not be had, or none of it is allowed; the message is one line."""


def cast(load: Load, target: TargetSpec, secrets: Mapping[str, str]) -> Load:
    """The load with the models that its conversations draw from.

    Raises SpecError if the target takes no such params, ModelsUnavailableError.
    """
    people = load.people
    _check(people, target)
    if people.models_from_target:
        models = _ask(target, secrets)
        people = people.settled(models)
        if not people.models:
            raise ModelsUnavailableError(f"none of the target's {len(models)} models is left after the exclusions")
    elif people.exclude:
        people = people.settled(people.models)
    else:
        return load
    return load.model_copy(update={"people": people})


def _check(people: People, target: TargetSpec) -> None:
    drawn = {
        "models": "model" if people.models or people.models_from_target else "",
        "temperature": "temperature" if people.temperature is not None else "",
    }
    for field, param in drawn.items():
        if param and (why := lacks_param(target, param, but=NOT_DRAWN)):
            raise SpecError(f"load: people.{field}: {param!r}: {why}")


def _ask(target: TargetSpec, secrets: Mapping[str, str]) -> list[str]:
    spec = parse_target_spec(target.frozen_dict() | {"secrets": dict(secrets)})
    try:
        return fetch_models(spec, allow_private=settings.ALLOW_PRIVATE)
    except SpecError as exc:
        raise ModelsUnavailableError(str(exc)) from exc
    except TurnError as exc:
        explained(exc, CompiledTarget(spec).unset_secrets)
        said = ": ".join(part for part in (exc.code, exc.detail, exc.advice) if part)
        raise ModelsUnavailableError(f"the target's list of models: {Redactor(secrets.values()).error(said)}") from exc
