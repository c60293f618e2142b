"""Page sizes of lists."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination, PageNumberPagination

from inputs.rest import CheckedSize

PAGE = 100
LARGEST_PAGE = 1000


class ById(CheckedSize, CursorPagination):
    """A run has millions of turns: pages by id, without a count and without an offset."""

    ordering = "id"
    page_size = PAGE
    max_page_size = LARGEST_PAGE


class Numbered(CheckedSize, PageNumberPagination):
    """For lists without an id."""

    page_size = PAGE
    max_page_size = LARGEST_PAGE
