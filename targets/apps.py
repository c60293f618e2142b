"""Django app."""

from django.apps import AppConfig


class TargetsConfig(AppConfig):
    name = "targets"

    def ready(self) -> None:
        from django.conf import settings

        from connectors.registry import register

        register(settings.CONNECTORS)
