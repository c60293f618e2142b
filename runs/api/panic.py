"""The emergency stop in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inputs.rest import Strict, refuse_body
from policy.models import Panic
from policy.models.panic import REASON_CHARS, USE_PANIC
from policy.panic import current
from runs import panic

VIEW = ["runs.view_run"]


class BeginSerializer(Strict):
    reason = serializers.CharField(max_length=REASON_CHARS, required=False, allow_blank=True, help_text="Shown to all.")


class PanicSerializer(serializers.Serializer[Any]):
    """Without an emergency stop only `is_on`, false."""

    is_on = serializers.BooleanField()
    began_at = serializers.DateTimeField(required=False)
    began_by = serializers.CharField(required=False)
    reason = serializers.CharField(required=False)
    stopped_runs = serializers.ListField(child=serializers.IntegerField(), required=False)
    paused_schedules = serializers.IntegerField(required=False, help_text="Number of schedules that it paused.")
    ended_at = serializers.DateTimeField(required=False, allow_null=True)
    ended_by = serializers.CharField(required=False)


def shown(found: Panic | None) -> dict[str, Any]:
    """As the API and the command line print it."""
    if found is None:
        return {"is_on": False}
    return {
        "is_on": found.is_on,
        "began_at": found.began_at,
        "began_by": found.began_by_name,
        "reason": found.reason,
        "stopped_runs": found.stopped_runs,
        "paused_schedules": len(found.paused_tasks),
        "ended_at": found.ended_at,
        "ended_by": found.ended_by_name,
    }


class PanicView(APIView):
    """Stops everything: all runs end, nothing starts, schedules are paused."""

    action = "panic"
    run_actions = ("panic",)
    required_perms = {
        "GET": VIEW,
        "HEAD": VIEW,
        "OPTIONS": VIEW,
        "POST": [USE_PANIC],
        "DELETE": [USE_PANIC],
    }

    @extend_schema(responses=PanicSerializer)
    def get(self, request: Request) -> Response:
        """Whether the emergency stop is on."""
        return Response(shown(current()))

    @extend_schema(request=BeginSerializer, responses={202: PanicSerializer})
    def post(self, request: Request) -> Response:
        """Stop all runs now, refuse new ones and pause all schedules. It may be repeated."""
        asked = BeginSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = panic.begin(by=str(request.user), user=request.user, reason=asked.validated_data.get("reason", ""))
        return Response(shown(made), status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={200: PanicSerializer})
    def delete(self, request: Request) -> Response:
        """Undo it: runs may start again, and the schedules that it paused go on. Stopped runs stay stopped."""
        refuse_body(request)
        return Response(shown(panic.undo(by=str(request.user), user=request.user)))
