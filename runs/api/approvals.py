"""Approving and refusing runs in the API."""

from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inputs.rest import Strict, refuse_body
from runs.api.conflict import Conflict, ProblemSerializer
from runs.approval import APPROVE, ApprovalError, approve, refuse
from runs.models import Approval, Run
from runs.models.approval import NOTE_CHARS


class ApprovalSerializer(serializers.ModelSerializer[Approval]):
    class Meta:
        model = Approval
        fields = ["why", "asked_at", "decision", "decided_at", "decided_by_name", "note"]
        read_only_fields = fields


class NoteSerializer(Strict):
    note = serializers.CharField(max_length=NOTE_CHARS, required=False, allow_blank=True, help_text="Why not.")


class ApprovalActions(viewsets.GenericViewSet[Run]):
    """Of a run that waits for approval."""

    @extend_schema(request=None, responses={200: ApprovalSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"], required_perms={"POST": [APPROVE]})
    def approve(self, request: Request, pk: str) -> Response:
        """Approve a run that waits for approval, so that it starts. 409 for your own."""
        refuse_body(request)
        return self._decided(lambda run: approve(run, request.user))

    @extend_schema(request=NoteSerializer, responses={200: ApprovalSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"], required_perms={"POST": [APPROVE]})
    def refuse(self, request: Request, pk: str) -> Response:
        """Refuse a run that waits for approval, which ends it. 409 for your own."""
        asked = NoteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self._decided(lambda run: refuse(run, request.user, asked.validated_data.get("note", "")))

    def _decided(self, work: Callable[[Run], None]) -> Response:
        run = self.get_object()
        try:
            work(run)
        except ApprovalError as exc:
            raise Conflict(str(exc)) from exc
        return Response(ApprovalSerializer(Approval.objects.get(run=run)).data)
