"""Turns the refusal of a run into an API error."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from runs.planning.errors import FIELDS, RequestError


class RunRefusalSerializer(serializers.Serializer[Any]):
    """Why a run of a plan cannot be started. Without `code` and `field` the request itself is wrong."""

    plan = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="What is wrong, and what to do."
    )
    code = serializers.ListField(
        child=serializers.ChoiceField(choices=[(code, code) for code in FIELDS]),
        required=False,
        help_text="The kind of problem, as a list of one.",
    )
    field = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="The part of the plan that is wrong, as a list of one."
    )


def refusal(exc: RequestError) -> serializers.ValidationError:
    """The text is reported for the plan; `field` is the part of the plan that is wrong."""
    return serializers.ValidationError({"plan": [str(exc)], "code": [exc.code], "field": [exc.field]})
