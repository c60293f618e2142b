"""Plans and runs in the admin."""

from runs.admin.plans import TestPlanAdmin
from runs.admin.runs import RunAdmin, SessionAdmin

__all__ = ["RunAdmin", "SessionAdmin", "TestPlanAdmin"]
