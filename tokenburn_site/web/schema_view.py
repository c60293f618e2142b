"""The API's schema as it is served: the same for all who may read it, and made once in a process."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.translation import get_language
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.views import SpectacularAPIView


class KnownSchema(SchemaGenerator):
    """Makes the schema only where somebody asks for a version of it or another language."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        if public and self.api_version is None and get_language() == settings.LANGUAGE_CODE:
            return _made()
        library: Any = super()  # it has no types here
        found: dict[str, Any] = library.get_schema(request, public)
        return found


@cache
def _made() -> dict[str, Any]:
    library: Any = SchemaGenerator  # it has no types here
    found: dict[str, Any] = library().get_schema(request=None, public=True)
    return found


@cache
def _as_yaml() -> bytes:
    library: Any = OpenApiYamlRenderer()
    found: bytes = library.render(_made())
    return found


class _OnceAsYaml(OpenApiYamlRenderer):
    """To write a megabyte of YAML takes as long as to make the schema."""

    def render(self, data: Any, *more: Any, **named: Any) -> bytes:
        library: Any = super()
        found: bytes = _as_yaml() if data is _made() else library.render(data, *more, **named)
        return found


class _OnceAsYaml2(_OnceAsYaml):
    media_type = OpenApiYamlRenderer2.media_type


class SchemaView(SpectacularAPIView):
    generator_class = KnownSchema
    renderer_classes = [_OnceAsYaml, _OnceAsYaml2, OpenApiJsonRenderer, OpenApiJsonRenderer2]


def _forget(**_: Any) -> None:
    for one in (_made, _as_yaml):
        one.cache_clear()


setting_changed.connect(_forget)
"""Only tests change settings."""
