"""Pydantic's findings in our words, for every door: no input values, because a value may be a secret. Pure."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Path = tuple[int | str, ...]
OBJECT, LIST, TEXT, NUMBER = "must be an object", "must be a list", "must be a text", "must be a number"
WORDS: Final = {
    "missing": "is missing",
    "model_type": OBJECT,
    "model_attributes_type": OBJECT,
    "dict_type": OBJECT,
    "mapping_type": OBJECT,
    "list_type": LIST,
    "tuple_type": LIST,
    "string_type": TEXT,
    "string_unicode": "is not valid Unicode",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
SUBJECTS: Final = ("Input should", "String should", "List should", "Tuple should", "Dictionary should", "Value should")


def place_of(path: Path) -> str:
    """Where a value stands, as in `load.stages[0].to`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def words_of(error: Mapping[str, Any], shape: Any = None, *, fields: Sequence[str] | None = None) -> str:
    """What is wrong with the value at `error["loc"]`. `shape`: the validated model, whose fields may be suggested for
    an unknown one; `fields`: these instead."""
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden":
        known = fields if fields is not None else known_fields(shape, error["loc"][:-1])
        return unknown_field(str(error["loc"][-1]), known)
    if kind in WORDS:
        return WORDS[kind]
    message = message.partition(" after validation")[0]
    for subject in SUBJECTS:
        message = message.replace(subject, "must")
    return message.removeprefix("Value error, ")


def unknown_field(name: str, known: Sequence[str], kind: str = "field") -> str:
    """The refusal of a key that nobody reads, with the nearest of the known ones, or all of them."""
    if hint := nearest(name, known):
        return f"is not a known {kind}{hint}"
    return f"is not a known {kind}; known are {', '.join(known)}" if known else f"is not a known {kind}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint at the known name that was probably meant, to be put behind a sentence; empty: none is near."""
    near = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def known_fields(shape: Any, path: Path) -> list[str]:
    """The names of the fields of the model at `path` inside `shape`; none if there is no model."""
    found = list(_leaves(shape))
    for part in path:
        found = [leaf for one in _inside(found, part) for leaf in _leaves(one)]
    return list(dict.fromkeys(name for model in found if _is_model(model) for name in _names(model)))


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _inside(shapes: list[Any], part: int | str) -> list[Any]:
    """The types of what stands at `part`: a field, an item, a value; or the shapes that the tag `part` chooses."""
    found = []
    for shape in shapes:
        if _is_model(shape):
            found += [f.annotation for name, f in shape.model_fields.items() if part in (name, f.alias)]
        elif arguments := get_args(shape):
            is_mapping = _is_a(get_origin(shape), Mapping)
            found += [arguments[-1]] if is_mapping else list(arguments) if isinstance(part, int) else []
    return found or [shape for shape in shapes if _is_model(shape) and _has_tag(shape, part)]


def _has_tag(model: type[BaseModel], tag: int | str) -> bool:
    literals = (field.annotation for field in model.model_fields.values() if get_origin(field.annotation) is Literal)
    return tag == model.__name__ or any(tag in get_args(literal) for literal in literals)


def _leaves(shape: Any) -> Iterator[Any]:
    """The alternatives of a type, without what only annotates them."""
    origin = get_origin(shape)
    if origin is Annotated:
        yield from _leaves(get_args(shape)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(shape):
            yield from _leaves(part)
    elif shape is not None:
        yield shape


def _is_model(shape: Any) -> bool:
    return _is_a(shape, BaseModel)


def _is_a(shape: Any, base: type) -> bool:
    return isinstance(shape, type) and issubclass(shape, base)
