"""Plans, runs, schedules and webhooks in the admin."""

from runs.admin.plans import TestPlanAdmin
from runs.admin.runs import RunAdmin, SessionAdmin
from runs.admin.schedules import PlanScheduleAdmin, ScheduleSlotAdmin
from runs.admin.webhooks import WebhookAdmin

__all__ = ["PlanScheduleAdmin", "RunAdmin", "ScheduleSlotAdmin", "SessionAdmin", "TestPlanAdmin", "WebhookAdmin"]
