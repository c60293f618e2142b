"""What the API's schema says of bodies beyond what drf-spectacular finds in serializers.

A field may have a `request_schema`, and a serializer a `request_rules`: JSON Schema for bodies of requests. Answers may
hold more, for instance what earlier versions stored.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, cast

from rest_framework import serializers

ANY_TEXT: Final = r"^[^\u0000]*$"
"""The database holds no NUL."""
SOME_TEXT: Final = r"^[^\u0000]*\S[^\u0000]*$"
"""Not only spaces, which are removed at both ends."""
_LABEL, _LAST = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BYTE: Final = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V6: Final = r"\[(([0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|([0-9A-Fa-f]{1,4}:){1,6}:[0-9A-Fa-f]{1,4}|::1)\]"
HOST: Final = rf"(({_LABEL}\.)*{_LAST}|{_BYTE}(\.{_BYTE}){{3}}|{_V6})"
PORT: Final = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
PATH: Final = r"(/[!-~]*)?"


def url_pattern(*schemes: str) -> str:
    """Of an address with these schemes. A host beyond ASCII is written as its DNS name (xn--)."""
    return rf"^({'|'.join(schemes)})://{HOST}{PORT}{PATH}$"


def bare_url_pattern(*schemes: str) -> str:
    """The same for an address that may leave out the scheme."""
    return rf"^(({'|'.join(schemes)})://)?{HOST}{PORT}{PATH}$"


TARGETS: Final = ("http", "https", "ws", "wss", "grpc", "grpcs")
ORIGIN_PATTERN: Final = rf"^({'|'.join(TARGETS)})://{HOST}{PORT}/?$"
WHOLE: Final = {"minimum": -(2**63), "maximum": 2**63 - 1}
"""What an integer may be, if nothing else is said."""


Kind = TypeVar("Kind", bound=type[serializers.Field[Any, Any, Any, Any]])


def with_schema(kind: Kind, **schema: Any) -> Kind:
    """The kind of field with this `request_schema`, where another part of the product checks and words the bounds."""
    return cast("Kind", type(kind.__name__, (kind,), {"request_schema": schema}))


def text_pattern(field: Any) -> str:
    """Of a text in a body; empty: it has rules of its own."""
    if not isinstance(field, serializers.CharField) or isinstance(
        field, serializers.RegexField | serializers.EmailField | serializers.UUIDField | serializers.ChoiceField
    ):
        return ""
    return SOME_TEXT if field.trim_whitespace and not field.allow_blank else ANY_TEXT
