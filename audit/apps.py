"""Django app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        from audit import rows, sign_in
        from audit.triggers import ensure

        rows.connect()
        sign_in.connect()
        post_migrate.connect(ensure, sender=self, dispatch_uid="audit.triggers")
