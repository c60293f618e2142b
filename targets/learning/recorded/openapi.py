"""Reads OpenAPI documents: each operation that takes a body becomes an exchange with examples. Follows only references
within the document; nothing is fetched.

prance and openapi-core resolve references by fetching them, and without limits on what a small document grows to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, urljoin

import orjson

from targets.learning.recorded.answers import read_answer
from targets.learning.recorded.curl import with_body
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.exchange import Answer, Exchange, checked_url

OPERATIONS: Final = 500
NODES: Final = 2_000
DEPTH: Final = 12
JSON_TYPES: Final = ("application/json", "application/*+json", "*/*", "application/x-www-form-urlencoded")
SAMPLES: Final[dict[str, Any]] = {"integer": 1, "number": 1.0, "boolean": False, "null": None}


def read_openapi(data: dict[str, Any], url: str = "") -> list[Exchange]:
    """`url`: the address of the server, where the document has none. Raises LearnError."""
    base = _server(data, url)
    found = []
    for path, operations in list(_dict(data.get("paths")).items())[:OPERATIONS]:
        if not str(path).startswith("/"):
            continue  # it would become a part of the host's name
        for method in ("post", "put", "get"):
            operation = _dict(_dict(operations).get(method))
            if operation and (method != "get" or "{" in str(operation.get("responses"))):
                found += _exchange(_Document(data), checked_url(f"{base}{path}"), method, operation)
    if not found:
        raise LearnError("the document describes no operation that takes a message: record an exchange instead")
    return found


def _server(data: dict[str, Any], url: str) -> str:
    servers = data.get("servers")
    told = _dict(servers[0]).get("url", "") if isinstance(servers, list) and servers else ""
    if not told and data.get("host"):  # Swagger 2
        scheme = next(iter(_items(data.get("schemes"))), "https")
        told = f"{scheme}://{data['host']}{data.get('basePath', '')}"
    try:
        base = urljoin(f"{url.rstrip('/')}/", str(told)) if url else str(told)
    except ValueError as exc:
        raise LearnError(f"{str(told)[:80]!r} is not the address of a server") from exc
    if "://" not in base:
        raise LearnError("the document does not say where the server is: give its address with --url")
    return checked_url(base).rstrip("/")


@dataclass
class _Document:
    """Makes examples, of at most NODES values."""

    data: dict[str, Any]
    left: int = field(default=NODES)

    def resolved(self, node: Any) -> dict[str, Any]:
        """A node without a reference at its top."""
        for _ in range(DEPTH):
            reference = _dict(node).get("$ref")
            if not isinstance(reference, str):
                break
            node = self._at(reference)
        return _dict(node)

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return {}
        node: Any = self.data
        for key in reference[2:].split("/")[:DEPTH]:
            node = _dict(node).get(key.replace("~1", "/").replace("~0", "~"))
        return node

    def example(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        """A document that the schema allows; texts without an example are called after their property."""
        node = self.resolved(schema)
        self.left -= 1
        if self.left < 0 or depth > DEPTH:
            return None
        for key in ("example", "const", "default"):
            if key in node and node[key] is not None:
                return node[key]
        if isinstance(examples := node.get("examples"), list) and examples:
            return examples[0]
        if isinstance(choices := node.get("enum"), list) and choices:
            return choices[0]
        return self._of_type(node, name, depth)

    def _of_type(self, node: dict[str, Any], name: str, depth: int) -> Any:
        if parts := _items(node.get("allOf")):
            made = [self.example(part, name, depth + 1) for part in parts]
            objects = [part for part in made if isinstance(part, dict)]
            return {key: value for part in objects for key, value in part.items()} if objects else made[0]
        for key in ("oneOf", "anyOf"):
            if choices := [one for one in _items(node.get(key)) if self.resolved(one).get("type") != "null"]:
                return self.example(choices[0], name, depth + 1)
        kinds = node.get("type")
        kind = next((one for one in kinds if one != "null"), "null") if isinstance(kinds, list) else kinds
        if kind == "object" or "properties" in node:
            properties = _dict(node.get("properties"))
            return {key: self.example(inner, str(key), depth + 1) for key, inner in list(properties.items())[:200]}
        if kind == "array":
            return [self.example(node.get("items"), name, depth + 1)]
        return SAMPLES.get(str(kind), f"the {name or 'text'}")


def _exchange(document: _Document, url: str, method: str, operation: dict[str, Any]) -> list[Exchange]:
    body = document.resolved(operation.get("requestBody"))
    content = _dict(body.get("content"))
    kind = next((one for one in JSON_TYPES if one in content), next(iter(content), ""))
    if not kind and method != "get":
        return []
    headers = (("Content-Type", str(kind)),) if kind else ()
    made = Exchange(
        method.upper(), url, (*headers, *_security(document, operation)), answer=_answer(document, operation)
    )
    if not kind:
        asked = "&".join(_fields(document, operation))
        return [replace(made, url=f"{url}?{asked}")] if asked else []
    media = _dict(content[kind])
    example = media.get("example", document.example(media.get("schema")))
    if not isinstance(example, dict):
        return []
    if "form" in str(kind):
        return [replace(made, body={key: str(value) for key, value in example.items()}, encoding="form")]
    return [with_body(made, _dumps(example))]


def _fields(document: _Document, operation: dict[str, Any]) -> Iterator[str]:
    """Of a query."""
    for one in map(document.resolved, _items(operation.get("parameters"))):
        if one.get("in") == "query" and (name := str(one.get("name") or "")):
            yield f"{quote(name)}={quote(str(document.example(one.get('schema'), name)))}"


def _answer(document: _Document, operation: dict[str, Any]) -> Answer | None:
    responses = _dict(operation.get("responses"))
    fine = document.resolved(responses.get("200") or responses.get("201") or responses.get("default"))
    for kind, media in _dict(fine.get("content")).items():
        if "json" in str(kind):
            example = _dict(media).get("example", document.example(_dict(media).get("schema")))
            return read_answer(200, str(kind), _dumps(example))
    return None


def _security(document: _Document, operation: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Headers of the first scheme that the operation asks for."""
    asked = _items(operation.get("security", document.data.get("security")))
    schemes = _dict(_dict(document.data.get("components")).get("securitySchemes"))
    for name in _dict(asked[0]) if asked else ():
        scheme = document.resolved(schemes.get(name))
        if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
            return ((str(scheme.get("name")), "KEY"),)
        if str(scheme.get("type")) in {"http", "oauth2", "openIdConnect"}:
            return (("Authorization", "Basic KEY" if scheme.get("scheme") == "basic" else "Bearer KEY"),)
    return ()


def _dumps(example: Any) -> str:
    return orjson.dumps(example, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
