"""Django app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ScenariosConfig(AppConfig):
    name = "scenarios"

    def ready(self) -> None:
        from scenarios.services import sync_after_migrate

        post_migrate.connect(sync_after_migrate, sender=self, dispatch_uid="scenarios.library")
