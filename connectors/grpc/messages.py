"""Protobuf messages as JSON data. As `google.protobuf.json_format` does it, but with 64-bit integers as numbers (a
send-time stamp is one), and compiled once for each type: this runs for every message received."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from math import isfinite, isnan
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Convert = Callable[[Any], Any]

_LONG_WRAPPERS: Final = frozenset({"google.protobuf.Int64Value", "google.protobuf.UInt64Value"})


class Reader:
    """From a message of one type to a dict of its fields that are set, by the names in the .proto."""

    __slots__ = ("_fields",)

    def __init__(self, descriptor: Descriptor, known: dict[str, Reader]) -> None:
        known[descriptor.full_name] = self  # before its fields: a type may hold itself
        self._fields = {field.number: (field.name, _converter(field, known)) for field in descriptor.fields}

    def __call__(self, message: Message) -> dict[str, Any]:
        fields = self._fields
        found = {}
        for descriptor, value in message.ListFields():
            if (field := fields.get(descriptor.number)) is not None:  # otherwise an extension, which cannot be mapped
                name, convert = field
                found[name] = value if convert is None else convert(value)
        return found


def make_reader(descriptor: Descriptor) -> Convert:
    """How messages of this type become JSON data. What it returns may raise ValueError or TypeError."""
    return _of_message(descriptor, {})


def _of_message(descriptor: Descriptor, known: dict[str, Reader]) -> Convert:
    if descriptor.full_name in _LONG_WRAPPERS:
        return _wrapped
    if descriptor.full_name.startswith("google.protobuf."):
        return _well_known
    return known.get(descriptor.full_name) or Reader(descriptor, known)


def _converter(field: FieldDescriptor, known: dict[str, Reader]) -> Convert | None:
    """None: the value is JSON as it is."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        name = _bool_key if key.type == FieldDescriptor.TYPE_BOOL else str
        convert = _single(value, known)
        return lambda entries: {name(k): v if convert is None else convert(v) for k, v in entries.items()}
    convert_one = _single(field, known)
    if not field.is_repeated:
        return convert_one
    return list if convert_one is None else lambda values: [convert_one(value) for value in values]


def _single(field: FieldDescriptor, known: dict[str, Reader]) -> Convert | None:
    if field.message_type is not None:
        return _of_message(field.message_type, known)
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.type in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}:
        return _real
    return None


def _bool_key(value: bool) -> str:
    return "true" if value else "false"


def _bytes(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _real(value: float) -> float | str:
    if isfinite(value):
        return value
    return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _wrapped(message: Any) -> Any:
    return message.value


def _well_known(message: Message) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
