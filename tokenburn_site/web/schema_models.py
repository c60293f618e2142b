"""Loads and scenarios as components of the API's schema, and repairs of what drf-spectacular makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import TypeAdapter

from runs.load.profile import LoadProfile
from scenarios.definition.spec import ScenarioSpec

MODELS: Final[dict[str, Any]] = {"Load": LoadProfile, "Scenario": ScenarioSpec}
"""What bodies hold of our own languages: `LoadSpec` and `ScenarioSpec`, and their parts."""
PREFIX: Final = "#/components/schemas/"


def add_models(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: the components that the `request_schema` of loads and scenarios refer to."""
    components = result["components"]["schemas"]
    for prefix, model in MODELS.items():
        adapter: TypeAdapter[Any] = TypeAdapter(model)
        schema = adapter.json_schema(ref_template=f"{PREFIX}{prefix}_{{model}}")
        components |= {f"{prefix}_{name}": part for name, part in schema.pop("$defs").items()}
        components[f"{prefix}Spec"] = schema
    for part in [*_objects(components)]:
        _name_the_kind(part, components)
        if part.get("oneOf") == [{}, {"type": "null"}]:  # both match null, so that it would be no choice
            del part["oneOf"]
        _let_be_empty(part)
    return result


def _let_be_empty(part: dict[str, Any]) -> None:
    """One kind of text instead of two if the first may be empty as well: of two that match, `oneOf` allows neither."""
    match part.get("oneOf"):
        case [{"pattern": pattern} as text, {"maxLength": 0}] if not text.get("minLength") and re.search(pattern, ""):
            del part["oneOf"]
            part.update(text)


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        yield found
        for one in found.values():
            yield from _objects(one)
    elif isinstance(found, list):
        for one in found:
            yield from _objects(one)


def _name_the_kind(part: dict[str, Any], components: dict[str, Any]) -> None:
    """What tells the kinds of an object apart has a default in each of them, but must be given."""
    discriminator = part.get("discriminator")
    if isinstance(discriminator, dict):
        for address in discriminator.get("mapping", {}).values():
            kind, name = components[address.removeprefix(PREFIX)], discriminator["propertyName"]
            kind["required"] = sorted({*kind.get("required", ()), name})
