"""Plans and runs over the API."""

from runs.api.plans import PlanViewSet
from runs.api.runs import RunViewSet

__all__ = ["PlanViewSet", "RunViewSet"]
