"""JSON in forms of the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput

from inputs.json_limits import BoundedDecoder, json_problem


class BoundedInline:
    """Rows on the page of another one, of at most `max_num`: without `absolute_max` Django makes a thousand forms more
    than that, if a request says so, which takes seconds."""

    max_num: int

    def get_formset(self, *args: Any, **kwargs: Any) -> Any:
        of_admin: Any = super()
        return of_admin.get_formset(*args, **{"absolute_max": self.max_num, **kwargs})


class BoundedJSONField(forms.JSONField):
    """Refuses what a later step cannot carry, with the reason."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**{**more, "decoder": BoundedDecoder})

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What is refused is shown as it was typed: not all of it can be written as JSON again."""
        found = super().bound_data(data, initial)
        return InvalidJSONInput(data) if isinstance(data, str) and json_problem(found) else found

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        if problem := json_problem(found):
            raise forms.ValidationError(f"The JSON {problem}.")
        return found
