"""Pagination of the API's lists."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination

from inputs.rest import CheckedSize


class Pages(CheckedSize, PageNumberPagination):
    page_size = 50
    max_page_size = 500
