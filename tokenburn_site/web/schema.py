"""Adds to the OpenAPI schema what drf-spectacular omits: error responses and rules of bodies."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta, force_instance
from rest_framework import serializers

from inputs.rest_schema import WHOLE, text_pattern

PROBLEM = {
    "type": "object",
    "description": "Why the request was refused.",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
MISTAKES = {
    "type": "object",
    "description": "What is wrong, by field; `non_field_errors` for the whole, `detail` for a body that is not JSON.",
    "additionalProperties": {},
}
METHODS = {"get", "post", "put", "patch", "delete"}


class Schema(AutoSchema):
    """Bodies of requests are described as strictly as they are checked; see `inputs.rest_schema`."""

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        library: Any = super()  # it has no types here
        if direction != "request" or field.read_only:
            return library._map_serializer_field(field, direction, bypass_extensions)
        if own := getattr(field, "request_schema", None):
            return append_meta(dict(own), library._get_serializer_field_meta(field, direction))
        found = library._map_serializer_field(field, direction, bypass_extensions)
        if isinstance(field, serializers.ListSerializer) and not field.allow_empty:
            return {**found, "minItems": 1}
        if found and found.get("type") == "integer":
            return {**WHOLE, **found}
        if found and not found.keys() & {"enum", "pattern", "$ref"} and (pattern := text_pattern(field)):
            return {**found, "pattern": pattern}
        return found

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        library: Any = super()
        found = library._map_basic_serializer(serializer, direction)
        if direction != "request":
            return found
        fields: Any = force_instance(serializer).fields  # type: ignore[no-untyped-call]  # the library has no types
        for name, field in fields.items():  # it adds the bounds of validators once more
            if name in found["properties"]:
                found["properties"][name] |= getattr(field, "request_schema", {})
        return {**found, **getattr(serializer, "request_rules", {})}


def add_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: the answers that every operation may give instead of its own."""
    result["components"]["schemas"] |= {"Refusal": PROBLEM, "Mistakes": MISTAKES}
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request") and "properties" in schema:  # `inputs.rest.Strict` refuses other keys
            schema["additionalProperties"] = False
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _require_body(result, operation)
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    parameter["allowEmptyValue"] = True  # as if it were left out
            if method in METHODS and operation.get("security"):
                for status, (schema, text) in _refusals(path, method, operation).items():
                    operation["responses"].setdefault(status, _answer(schema, text))
    return result


def _require_body(result: dict[str, Any], operation: dict[str, Any]) -> None:
    """A body that must hold something must be there."""
    body = operation.get("requestBody", {})
    for media in body.get("content", {}).values():
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        if result["components"]["schemas"].get(name, {}).get("minProperties"):
            body["required"] = True


def _refusals(path: str, method: str, operation: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = {
        "401": ("Refusal", "Not logged in."),
        "403": ("Refusal", "Not allowed."),
        "429": ("Refusal", "Too many wrong tokens from this address: wait for `Retry-After` seconds."),
        "503": ("Refusal", "The database is unavailable: try again after `Retry-After` seconds."),
    }
    if "{" in path or method == "get":
        found["404"] = ("Refusal", "There is no such row or page.")
    if "requestBody" in operation:
        found["400"] = ("Mistakes", "The body is not acceptable.")
        found["413"] = ("Refusal", "The body is too large.")
        found["415"] = ("Refusal", "The body is not JSON.")
    elif operation.get("parameters"):
        found["400"] = ("Mistakes", "A parameter is not acceptable.")
    if method == "delete":
        found["409"] = ("Refusal", "Other rows still need this one.")
    return found


def _answer(schema: str, text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }
