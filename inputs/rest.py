"""What all parts of the API share: unknown keys refused, places named, the address of what was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from django.db.models import Model
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.settings import api_settings

from inputs.rest_types import type_problem
from inputs.wording import unknown_field

MAY_BE_OLDER: Final = (serializers.SerializerMethodField, serializers.DateTimeField)
"""Read-only fields that may have changed since a row was read: nobody sends them to change them."""


class RowField(serializers.PrimaryKeyRelatedField[Any]):
    """The id of a row. Refuses fractions, which would be truncated to the id of another row."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, float) and data.is_integer():  # JSON does not tell 2.0 from 2
            data = int(data)
        if isinstance(data, float):
            self.fail("incorrect_type", data_type="float")
        try:
            return super().to_internal_value(data)
        except OverflowError:
            self.fail("does_not_exist", pk_value=data)


class Strict(serializers.Serializer[Any]):
    """Refuses keys that it does not know: a typo would go unnoticed. Read-only fields may be sent back as they are."""

    serializer_related_field: ClassVar[type[serializers.RelatedField[Any, Any, Any]]] = RowField

    def to_internal_value(self, data: Any) -> Any:
        wrong = _wrong(self, data) if isinstance(data, Mapping) else {}
        try:
            found = super().to_internal_value(data)
        except serializers.ValidationError as exc:
            raise serializers.ValidationError({**cast("dict[str, Any]", exc.detail), **wrong}) from exc
        if wrong:
            raise serializers.ValidationError(wrong)
        return found


def _wrong(serializer: Strict, data: Mapping[Any, Any]) -> dict[str, list[str]]:
    """Unknown keys; and in JSON, unlike in forms, values of another type."""
    fields = serializer.fields
    found = {str(name): [unknown_field(str(name), list(fields))] for name in data if name not in fields}
    if not isinstance(data, QueryDict):
        for name in data:
            if name in fields and (problem := _problem(fields[name], data[name], serializer.instance)):
                found[str(name)] = [problem]
    return found


def _problem(field: Any, value: Any, row: Any) -> str:
    if not field.read_only:
        return type_problem(field, value)
    if not isinstance(row, Model) or isinstance(field, MAY_BE_OLDER):
        return ""
    stored = field.get_attribute(row)
    shown = None if getattr(stored, "pk", stored) is None else field.to_representation(stored)
    return "" if value == shown else "is read-only: leave it out, or send it as it is"


class CheckedSize:
    """Of a paginator: refuses parameters that the list does not know, and a `page_size` that is none, instead of giving
    other rows than were asked for."""

    page_size_query_param: str | None = "page_size"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        known = [*_filters(view, queryset), *self._own_parameters()]
        unknown = [name for name in request.query_params if name not in known]
        if unknown:
            raise serializers.ValidationError({name: [unknown_field(name, known, "parameter")] for name in unknown})
        paginator: Any = super()
        return paginator.paginate_queryset(queryset, request, view)

    def _own_parameters(self) -> list[str]:
        kinds = ("page_query_param", "cursor_query_param", "page_size_query_param")
        return [*(getattr(self, kind) for kind in kinds if hasattr(self, kind)), str(api_settings.URL_FORMAT_OVERRIDE)]

    def get_page_size(self, request: Request) -> int | None:
        given = request.query_params.get("page_size")
        if given and not (given.isascii() and given.isdecimal() and int(given[:9])):
            raise serializers.ValidationError({"page_size": ["give a whole number, at least 1"]})
        paginator: Any = super()
        size: int | None = paginator.get_page_size(request)
        return size

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        paginator: Any = super()
        found: list[dict[str, Any]] = paginator.get_schema_operation_parameters(view)
        for parameter in found:
            if parameter["schema"]["type"] == "integer":
                parameter["schema"]["minimum"] = 1
        return found


def _filters(view: Any, queryset: Any) -> Iterator[str]:
    """The parameters by which the list can be filtered: by its backends, and by itself (`own_filters`)."""
    yield from getattr(view, "own_filters", ())
    for backend in view.filter_backends:
        if found := backend().get_filterset_class(view, queryset):
            yield from found.base_filters


def refuse_body(request: Request) -> None:
    """For what takes no body: one with anything in it is a mistake. Raises ValidationError."""
    Strict(data=request.data).is_valid(raise_exception=True)


if TYPE_CHECKING:  # only its methods are wanted
    from rest_framework.viewsets import ViewSetMixin as ViewSet
else:
    ViewSet = object


class Located(ViewSet):
    """Of a view set: an answer 201 names the address of the new row, not a column that happens to be called `url`."""

    def get_success_headers(self, data: Mapping[str, Any]) -> dict[str, str]:
        return {"Location": self.reverse_action("detail", args=[data["id"]])}


def place_names(detail: Any) -> Any:
    """An error's detail as the API documents it: a list of texts per field of the body; errors further inside name
    their place, as in `scenarios[1].weight: ...`."""
    if not isinstance(detail, Mapping):
        return detail
    return {name: list(_lines(texts, str(name), "")) for name, texts in detail.items()}


def _lines(detail: Any, field: str, inside: str) -> Iterator[Any]:
    if isinstance(detail, Mapping):
        for name, texts in detail.items():
            yield from _lines(texts, field, f"{inside}{_step(name)}")
    elif isinstance(detail, list | tuple):
        for number, one in enumerate(detail):
            yield from _lines(one, field, f"{inside}[{number}]" if isinstance(one, Mapping) else inside)
    else:
        yield f"{field}{inside}: {detail}" if inside else detail


def _step(name: Any) -> str:
    """DRF numbers what is wrong in a list, by integers or as texts."""
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return ""
    return f"[{name}]" if str(name).isdecimal() else f".{name}"
