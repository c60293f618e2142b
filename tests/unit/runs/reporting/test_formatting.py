"""Loads in words."""

from __future__ import annotations

from typing import Any

import pytest

from runs.load.profile import parse_load
from runs.reporting.formatting import load_text


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ({}, ""),
        ({"models": ["a", "b"], "conversations_per_user": 3}, ", 3 conversations at once each, 2 models"),
        ({"models": ["a"], "temperature": [0.5, 0.5]}, ", a, temperature 0.5"),
        ({"models_from_target": True, "temperature": [0.5, 1]}, ", the target's models, temperature 0.5 to 1"),
        ({"first_messages": {"share": 0.2}}, ", 20% end after 1 to 3 messages"),
        ({"think": {"reading_wpm": 200}, "patience": {"within_s": {"mean": 9}}}, ", thinking, impatient (abandon)"),
    ],
)
def test_people_are_part_of_a_load_as_given_and_as_frozen(people: dict[str, Any], words: str) -> None:
    load = {"kind": "closed", "users": 5, "duration_s": 30, "user_profile": people}
    assert load_text(load) == load_text(parse_load(load).model_dump(mode="json")) == f"5 users, 30 s{words}"
