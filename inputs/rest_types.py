"""The types of JSON in the API: a number is no text, and a text no number. DRF takes each for the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

TYPES: Final[tuple[tuple[type, tuple[type, ...]], ...]] = (
    (serializers.BooleanField, (bool,)),
    (serializers.IntegerField, (int, float)),
    (serializers.FloatField, (int, float)),
    (serializers.PrimaryKeyRelatedField, (int, float)),
    (serializers.ChoiceField, (str,)),
    (serializers.CharField, (str,)),
)


def type_problem(field: Any, value: Any) -> str:
    """Why `value` has not the JSON type of the field; empty: it has, or the field itself will tell."""
    if isinstance(field, serializers.ListField):
        return _first(field.child, value) if isinstance(value, list) else ""
    if isinstance(field, serializers.DictField):
        return _first(field.child, value.values()) if isinstance(value, Mapping) else ""
    for kind, types in TYPES:
        if isinstance(field, kind):
            fits = value is None or (isinstance(value, types) and (bool in types or not isinstance(value, bool)))
            return "" if fits or isinstance(value, list | Mapping) else _text(field, value)
    return ""


def _first(child: Any, values: Any) -> str:
    return next((problem for one in values if (problem := type_problem(child, one))), "")


def _text(field: Any, value: Any) -> str:
    """In DRF's words."""
    for key in ("invalid", "incorrect_type", "invalid_choice"):
        if key in field.error_messages:
            return str(field.error_messages[key]).format(data_type=type(value).__name__, input=value)
    return "Not a valid value."
