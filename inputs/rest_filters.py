"""Filters of the API's lists: a value that is none of its kind is refused, instead of passed over."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import models
from django_filters import BooleanFilter, FilterSet
from django_filters.rest_framework import DjangoFilterBackend


class TrueOrFalseField(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        found = {"true": True, "false": False}.get(str(value).lower())
        if found is None:
            raise forms.ValidationError("give true or false")
        return found


class TrueOrFalse(BooleanFilter):  # type: ignore[misc]  # django-filter has no types
    field_class = TrueOrFalseField


class Filtered(FilterSet):  # type: ignore[misc]  # as above
    class Meta:
        filter_overrides: ClassVar = {models.BooleanField: {"filter_class": TrueOrFalse}}


class Filters(DjangoFilterBackend):  # type: ignore[misc]  # as above
    filterset_base = Filtered
