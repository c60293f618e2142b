"""Leases for tasks that only one process should do."""

from __future__ import annotations

from django.db import models


class Leader(models.Model):
    """The holder may do what only one process should do, until the lease ends by the database's clock."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=200, default="")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
