"""Django app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        from runs.models.installation import make_installation

        post_migrate.connect(make_installation, sender=self)
