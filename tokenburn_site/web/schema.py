"""Adds to the OpenAPI schema what drf-spectacular omits: error responses."""

from __future__ import annotations

from typing import Any

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


def add_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook: the answers that every operation may give instead of its own."""
    result["components"]["schemas"] |= {"Refusal": PROBLEM, "Mistakes": MISTAKES}
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request") and "properties" in schema:  # `inputs.rest.Strict` refuses other keys
            schema["additionalProperties"] = False
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if method in METHODS and operation.get("security"):
                for status, (schema, text) in _refusals(path, method, operation).items():
                    operation["responses"].setdefault(status, _answer(schema, text))
    return result


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
