"""What the JSON Schema of a load says besides its fields. Pure."""

from __future__ import annotations

from typing import Any


def level_may_be_left_out(schema: dict[str, Any]) -> None:
    """A sweep sets it."""
    level = {"users", "rate_per_s"} & set(schema.get("required", ()))
    schema["required"] = [name for name in schema.get("required", []) if name not in level]
    sweep = {"properties": {"sweep": {"type": "object"}}, "required": ["sweep"]}
    schema["anyOf"] = [*({"required": [name]} for name in level), sweep]


def times_in_any_form(schema: dict[str, Any]) -> None:
    """A trace may be given packed, as seconds, or as the numbers of a recording."""
    numbers = {"type": "array", "items": {"type": "number"}}
    schema["properties"] |= {"arrivals_s": numbers, "timestamps": numbers}
    forms = ("arrivals", "arrivals_s", "timestamps")
    schema["required"] = [name for name in schema.get("required", []) if name not in forms]
    schema["anyOf"] = [{"required": [name]} for name in forms]
