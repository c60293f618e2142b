"""Words for what pydantic finds: no raw sentence of it, no value, and the nearest known field for an unknown one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from inputs.wording import known_fields, nearest, place_of, unknown_field, words_of


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    depth: int = Field(1, ge=1)
    names: list[str] = Field(default_factory=list, min_length=1)


class Round(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["round"]
    radius: float = 1.0
    inner: Inner | None = None
    by_name: dict[str, Inner] = Field(default_factory=dict)
    several: tuple[Inner, ...] = ()


class Square(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["square"]
    on: bool = True


Shape = Annotated[Round | Square, Field(discriminator="kind")]


def said(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Shape).validate_python(data)
    return [words_of(error, Shape) for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "round", "radios": 1}, "is not a known field; did you mean 'radius'?"),
        ({"kind": "square", "radius": 1}, "is not a known field; known are kind, on"),
        ({"kind": "round", "inner": {"dept": 1}}, "is not a known field; did you mean 'depth'?"),
        ({"kind": "round", "by_name": {"x": {"dept": 1}}}, "is not a known field; did you mean 'depth'?"),
        ({"kind": "round", "several": [{}, {"name": []}]}, "is not a known field; did you mean 'names'?"),
        ({"kind": "round", "inner": {"depth": "sk-secret"}}, "must be a whole number"),
        ({"kind": "round", "inner": {"depth": 1.5}}, "must be a whole number"),
        ({"kind": "round", "inner": {"depth": 0}}, "must be greater than or equal to 1"),
        ({"kind": "round", "inner": {"names": []}}, "must have at least 1 item"),
        ({"kind": "round", "inner": {"names": [1]}}, "must be a text"),
        ({"kind": "round", "inner": 3}, "must be an object"),
        ({"kind": "round", "radius": "wide"}, "must be a number"),
        ({"kind": "square", "on": "maybe"}, "must be true or false"),
    ],
)
def test_findings_are_said_in_our_words(data: dict[str, Any], words: str) -> None:
    assert said(data) == [words]


def test_places_are_spelled_with_brackets() -> None:
    assert place_of(("load", "stages", 0, "to")) == "load.stages[0].to"
    assert place_of(()) == ""


def test_fields_of_a_place_that_is_no_model_are_unknown() -> None:
    assert known_fields(Shape, ("round", "radius", "x")) == []
    assert known_fields(None, ()) == []
    assert unknown_field("x", []) == "is not a known field"


def test_a_hint_is_given_only_for_what_is_near() -> None:
    assert nearest("temprature", {"model", "temperature"}) == "; did you mean 'temperature'?"
    assert nearest("x", {"model", "temperature"}) == ""
