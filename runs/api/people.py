"""Figures of a run's users and conversations in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from runs.api.paging import ById, Numbered
from runs.models import Run, Session
from runs.reporting import per_user


class TurnCounts(serializers.Serializer[Any]):
    sent = serializers.IntegerField()
    ok = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="turns that ended in error or timeout, or whose user gave up")
    aborted = serializers.IntegerField()
    unknown = serializers.IntegerField()


class TokenCounts(serializers.Serializer[Any]):
    """Null: not known of any turn."""

    input = serializers.IntegerField(allow_null=True)
    output = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField(allow_null=True)


class Latency(serializers.Serializer[Any]):
    """e2e_ms of ok turns."""

    total = serializers.FloatField()
    mean = serializers.FloatField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)


class FiguresSerializer(serializers.Serializer[Any]):
    turns = TurnCounts()
    tokens = TokenCounts()
    latency_ms = Latency()
    sleep_s = serializers.FloatField(help_text="time between messages: thinking, reading, typing")
    first_s = serializers.FloatField(allow_null=True, help_text="time of the first message since the common start")
    last_s = serializers.FloatField(allow_null=True, help_text="time of the last answer since the common start")


class ConversationSerializer(FiguresSerializer):
    id = serializers.IntegerField()
    user = serializers.IntegerField()
    scenario = serializers.CharField()
    model = serializers.CharField(allow_blank=True)
    params = serializers.JSONField(allow_null=True, help_text="parameters drawn for it besides the model")
    outcome = serializers.CharField(allow_blank=True)
    code = serializers.CharField(allow_null=True)
    messages = serializers.IntegerField(help_text="turns, including resent ones")
    latencies_ms = serializers.ListField(child=serializers.FloatField(), help_text="latency of each ok turn, in order")
    counted = serializers.BooleanField(help_text="false if it began in the warm-up or cool-down")


class ConversationCounts(serializers.Serializer[Any]):
    started = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    truncated = serializers.IntegerField(help_text="ended by the end of the run")
    lost = serializers.IntegerField()
    cut = serializers.IntegerField(help_text="earlier name of `truncated`, until 1.0")


class UserSerializer(FiguresSerializer):
    user = serializers.IntegerField()
    conversations = ConversationCounts()
    ended_sessions_per_min = serializers.FloatField(
        allow_null=True, help_text="per minute of the load; null while the run goes on"
    )
    conversations_per_min = serializers.FloatField(
        allow_null=True, help_text="earlier name of `ended_sessions_per_min`, until 1.0"
    )
    duration_s = serializers.FloatField(help_text="time from the user's first message to the last answer")
    models = serializers.DictField(child=serializers.IntegerField(), help_text="conversations by model")


class PeopleActions(viewsets.GenericViewSet[Run]):
    """For a view set of runs."""

    @extend_schema(responses=UserSerializer(many=True))
    @action(detail=True, pagination_class=Numbered, filter_backends=[])
    def users(self, request: Request, pk: str) -> Response:
        """Every simulated user of the run: conversations, turns, tokens, latency, time between messages, models.

        Without warm-up and cool-down."""
        run = self.get_object()
        found: QuerySet[Any] = per_user.user_numbers(run.pk)
        numbers = self.paginate_queryset(found)
        return self.get_paginated_response(per_user.users(run.pk, numbers or []))

    @extend_schema(responses=ConversationSerializer(many=True))
    @action(detail=True, pagination_class=ById, filter_backends=[])
    def conversations(self, request: Request, pk: str) -> Response:
        """Every conversation of the run with its figures, in the order of ids."""
        found: QuerySet[Any] = Session.objects.filter(run=self.get_object())
        return self.get_paginated_response(per_user.conversations(self.paginate_queryset(found) or []))
