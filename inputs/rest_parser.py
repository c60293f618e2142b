"""The API's JSON parser; apart from the rest, because a setting names it that DRF's views read."""

from __future__ import annotations

import json
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from inputs.json_limits import BoundedDecoder, json_problem


class BoundedJSONParser(JSONParser):
    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises ParseError for what is no JSON, or more than any part of the site can carry."""
        encoding = (parser_context or {}).get("encoding") or "utf-8"
        try:
            data = json.loads(stream.read().decode(encoding), cls=BoundedDecoder, parse_constant=_no_constant)
        except (ValueError, LookupError) as exc:  # LookupError: there is no such encoding
            raise ParseError(f"JSON parse error - {exc}") from exc
        if problem := json_problem(data):
            raise ParseError(f"JSON parse error - it {problem}")
        return data


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
