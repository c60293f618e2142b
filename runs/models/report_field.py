"""The column of a run's report: whoever reads one that an earlier version stored gets it with today's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import models

from metrics.report.earlier_reports import present_report
from metrics.report_schema import RunReport
from runs.load.earlier_names import present_load

if TYPE_CHECKING:
    JSONOfReport = models.JSONField[Mapping[str, object] | None, RunReport | None]
else:
    JSONOfReport = models.JSONField


class ReportField(JSONOfReport):
    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        if not isinstance(found, Mapping) or "run" not in found:
            return found
        report = present_report(found)
        if "load" in report["run"]:
            report["run"]["load"] = present_load(report["run"]["load"])
        return report

    def deconstruct(self) -> Any:
        """As a JSONField: no migration depends on how it is read."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs
