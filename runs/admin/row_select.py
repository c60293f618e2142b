"""Fields of forms that choose a row by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.widgets import AutocompleteSelect

if TYPE_CHECKING:  # only its methods are wanted
    from django.contrib.admin.options import BaseModelAdmin

    Base = BaseModelAdmin[Any]
else:
    Base = object

MOST_DIGITS = 18
"""Numbers of more digits may exceed 64 bits, with which databases fail."""


def row_id(text: Any) -> int:
    """The id, or number of rows, that a form sends; 0 for what is none."""
    text = str(text).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else 0


class RowSelect(AutocompleteSelect):
    """Django looks up whatever was sent to show it again, and fails on what is no id."""

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [one for one in value if row_id(one)], attrs)


class AutocompletesRows(Base):
    """Of an admin with `autocomplete_fields`."""

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if "widget" not in kwargs and db_field.name in self.get_autocomplete_fields(request):
            kwargs["widget"] = RowSelect(db_field, self.admin_site, using=kwargs.get("using"))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
