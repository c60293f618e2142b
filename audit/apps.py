"""Django app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        from audit.triggers import ensure

        post_migrate.connect(ensure, sender=self, dispatch_uid="audit.triggers")
