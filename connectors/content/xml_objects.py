"""XML as objects, in the form of `xmltodict`: an element is its text, null if it is empty, or an object of its
`@attributes`, its children and its `#text`; children of one name are a list. Namespace prefixes stay in the names.

A document type is refused, so that there are no entities to expand and nothing to fetch.
"""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from connectors.errors import BadAnswer, TooLarge

MOST_DEPTH: Final = 100
MOST_NODES: Final = 50_000
"""Elements and attributes of one document: objects take many times its size."""
XML_ADVICE: Final = "check the address, and that the answers are XML: response.format"


def xml_value(data: bytes, charset: str | None = None) -> dict[str, Any]:
    """`charset`: the declared one, if it is not UTF-8. Raises BadAnswer (xml_invalid) or TooLarge."""
    reader = _Reader()
    try:
        reader.parser.Parse(data if charset is None else data.decode(charset), True)
    except (expat.ExpatError, UnicodeDecodeError, ValueError, LookupError) as exc:
        raise BadAnswer("xml_invalid", f"expected XML: {exc}", XML_ADVICE) from exc
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[tuple[dict[str, Any], list[str]]] = [(self.root, [])]
        self._nodes = 0
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse

    def _begin(self, _name: str, attributes: dict[str, str]) -> None:
        self._nodes += 1 + len(attributes)
        if self._nodes > MOST_NODES:
            raise TooLarge("message_too_large", f"the XML of an answer has more than {MOST_NODES:,} elements")
        if len(self._open) > MOST_DEPTH:
            raise TooLarge("message_too_deep", "the XML of an answer is nested too deeply")
        self._open.append(({f"@{key}": value for key, value in attributes.items()}, []))

    def _end(self, name: str) -> None:
        inner, pieces = self._open.pop()
        text = "".join(pieces).strip()
        value: Any = inner if inner else text or None
        if inner and text:
            inner["#text"] = text
        parent = self._open[-1][0]
        if name not in parent:
            parent[name] = value
        elif type(parent[name]) is list:
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def _text(self, data: str) -> None:
        self._open[-1][1].append(data)


def _refuse(*_: Any) -> None:
    raise BadAnswer("xml_invalid", "the XML of an answer has a document type, which is not read", XML_ADVICE)
