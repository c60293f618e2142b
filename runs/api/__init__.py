"""Plans, runs, schedules and webhooks over the API."""

from runs.api.panic import PanicView
from runs.api.plans import PlanViewSet
from runs.api.runs import RunViewSet
from runs.api.schedules import ScheduleViewSet
from runs.api.webhooks import WebhookViewSet

__all__ = ["PanicView", "PlanViewSet", "RunViewSet", "ScheduleViewSet", "WebhookViewSet"]
