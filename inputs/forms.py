"""JSON in forms of the admin."""

from __future__ import annotations

from typing import Any

from django import forms

from inputs.json_limits import BoundedDecoder, json_problem


class BoundedJSONField(forms.JSONField):
    """Refuses what a later step cannot carry, with the reason."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{**more, "decoder": BoundedDecoder})

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if problem := json_problem(found):
            raise forms.ValidationError(f"The JSON {problem}.")
        return found
