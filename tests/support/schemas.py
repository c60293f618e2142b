"""What does not keep to a published schema, taken so strictly that the schema must name every key."""

from __future__ import annotations

import json
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator

from tokenburn_site.schema_files import schema


def strict(node: Any) -> Any:
    """The schema, which takes no key that it does not name."""
    if isinstance(node, dict):
        found = {key: strict(value) for key, value in node.items()}
        names = node.get("type") == "object" and isinstance(node.get("properties"), dict)
        return {**found, "additionalProperties": False} if names else found
    return [strict(item) for item in node] if isinstance(node, list) else node


def wrong(name: str, *found: Any) -> list[str]:
    """What of it does not keep to the contract; tuples and enums are as JSON has them."""
    validator = Draft202012Validator(strict(schema(name)))
    return [
        f"{error.instance_path}: {error.message[:200]}"
        for item in found
        for error in validator.iter_errors(json.loads(orjson.dumps(item)))
    ]
