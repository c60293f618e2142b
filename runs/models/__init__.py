"""All models of the app."""

from runs.models.approval import Approval, Decision
from runs.models.installation import Installation
from runs.models.leader import Leader
from runs.models.plans import PlanScenario, TestPlan
from runs.models.quota import QuotaUse
from runs.models.runs import Run, RunStatus, Session, Shard, ShardStatus
from runs.models.schedules import MOST_AT_ONCE, MissedPolicy, OverlapPolicy, PlanSchedule, ScheduleSlot, SlotStatus
from runs.models.webhooks import DeliveryStatus, Webhook, WebhookDelivery, WebhookKind, WebhookWhen

__all__ = [
    "MOST_AT_ONCE",
    "Approval",
    "Decision",
    "DeliveryStatus",
    "Installation",
    "Leader",
    "MissedPolicy",
    "OverlapPolicy",
    "PlanScenario",
    "PlanSchedule",
    "QuotaUse",
    "Run",
    "RunStatus",
    "ScheduleSlot",
    "Session",
    "Shard",
    "ShardStatus",
    "SlotStatus",
    "TestPlan",
    "Webhook",
    "WebhookDelivery",
    "WebhookKind",
    "WebhookWhen",
]
