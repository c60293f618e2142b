"""OpenAPI documents: what is read from them, and what of them is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from targets.learning.learn import learn
from targets.learning.recorded.errors import LearnError

TEXT: dict[str, Any] = {"type": "object", "properties": {"message": {"type": "string"}}}


def asking(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}}


def openapi(operations: dict[str, Any], path: str = "/ask", **more: Any) -> str:
    servers = [{"url": "https://bot.example.com"}]
    return json.dumps({"openapi": "3.1.0", "servers": servers, "paths": {path: operations}, **more})


def test_an_openapi_document_becomes_a_target() -> None:
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string"}, "session_id": {"$ref": "#/components/schemas/Id"}},
    }
    answer = {
        "type": "object",
        "properties": {"reply": {"type": "string"}, "self": {"$ref": "#/components/schemas/Loop"}},
    }
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "/v3"}],
        "paths": {
            "/health": {"get": {"responses": {"200": {}}}},
            "/chat": {"post": {
                "security": [{"key": []}],
                "requestBody": {"content": {"application/json": {"schema": schema}}},
                "responses": {"200": {"content": {"application/json": {"schema": answer}}}},
            }},
        },
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
            "schemas": {
                "Id": {"type": "string", "example": "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
                "Loop": {"type": "object", "properties": {"again": {"$ref": "#/components/schemas/Loop"}}},
            },
        },
    }  # fmt: skip
    made = learn([json.dumps(document)], url="https://bot.example.com")
    request = made.overrides["request"]
    assert (made.url, request["path"]) == ("https://bot.example.com", "/v3/chat")
    assert request["body"] == {
        "message": None, "session": None, "history": None, "query": "{{ message }}", "session_id": "{{ session.id }}",
    }  # fmt: skip
    assert made.overrides["response"]["text"] == "reply"
    assert "it follows from descriptions alone: try it" in made.unsure
    assert "X-Key" in request["headers"]


def test_a_schema_of_one_part_is_that_part() -> None:
    schema = {"type": "object", "properties": {**TEXT["properties"], "tone": {"allOf": [{"enum": ["kind"]}]}}}
    assert learn([openapi({"post": asking(schema)})]).overrides["request"]["body"]["tone"] == "kind"


def test_parameters_of_a_query_may_stand_elsewhere_in_the_document() -> None:
    named = {"in": "query", "name": "message", "schema": {"type": "string"}}
    parameters = [{"$ref": "#/components/parameters/Ask"}, {"in": "query"}, 1]
    document = openapi(
        {"get": {"parameters": parameters, "responses": {"200": {}}}}, components={"parameters": {"Ask": named}}
    )
    assert learn([document]).overrides["request"]["path"] == "/ask?message={{ message }}"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (openapi({"post": asking(TEXT)}, path="[x"), "describes no operation"),
        (openapi({"post": asking(TEXT)}, path="@other.example/x"), "describes no operation"),
        (json.dumps({"swagger": "2.0", "host": "h", "schemes": {"a": 1}, "paths": {}}), "describes no operation"),
        (json.dumps({"openapi": "3.1.0", "servers": [{"url": "//[x"}]}), "is not the address of a server"),
    ],
)
def test_what_of_a_document_is_of_no_use_is_refused(document: str, says: str) -> None:
    with pytest.raises(LearnError, match=says):
        learn([document], url="https://bot.example.com")


def test_a_scheme_of_an_unknown_kind_asks_for_nothing() -> None:
    schemes: dict[str, Any] = {"securitySchemes": {"key": {"type": {}}}}
    document = openapi({"post": {**asking(TEXT), "security": [{"key": []}]}}, components=schemes)
    assert learn([document]).secrets == {}
