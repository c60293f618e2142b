"""Runs in the API: start, watch, stop, and read report, sessions and turns."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from inputs.rest import Located, RowField, Strict, refuse_body
from inputs.rest_schema import with_schema
from metrics.api import TurnSerializer
from metrics.columns import OUTCOMES
from metrics.earlier_names import names_of_code, present_code, session_end
from metrics.models import SessionMetric
from metrics.report.junit import junit_xml
from metrics.report.markdown import summary_md
from metrics.report_schema import RunReport
from runs.api.approvals import ApprovalActions
from runs.api.conflict import Conflict, ProblemSerializer
from runs.api.paging import ById
from runs.api.people import PeopleActions
from runs.api.refusal import RunRefusalSerializer, refusal
from runs.api.run_rows import RunDetailSerializer, RunSerializer
from runs.completion.deletion import RunNotOverError, delete_run
from runs.lifecycle.load_changes import HIGHEST, SteeringError
from runs.models import Run, Session, TestPlan
from runs.permissions import CONTROL, may_read_texts
from runs.planning.errors import RequestError
from runs.reporting.texts import plain_report
from runs.services import change_load, request_run, stop_run

XML, MARKDOWN = "application/xml", "text/markdown"


class AnyAccept(BaseContentNegotiation):
    """For responses with their own content type, whatever the client accepts; errors are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class StartSerializer(Strict):
    plan = RowField(queryset=TestPlan.objects.select_related("target"))


def _level(kind: Any, name: str) -> Any:
    json_type = "integer" if kind is serializers.IntegerField else "number"
    return with_schema(kind, type=json_type, minimum=0, maximum=int(HIGHEST[name]))


class LoadSerializer(Strict):
    """The new level of the load: one of the three, depending on the kind of load."""

    request_rules: ClassVar = {"minProperties": 1, "maxProperties": 1}

    users = _level(serializers.IntegerField, "users")(required=False, help_text="Users of a closed loop.")
    rate_per_s = _level(serializers.FloatField, "rate_per_s")(
        required=False, help_text="Conversations per second of an open loop."
    )
    speed = _level(serializers.FloatField, "speed")(
        required=False, help_text="Speed of a trace: 2 is twice as fast as recorded."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("give one of users, rate_per_s and speed")
        return attrs


class LoadChangeSerializer(serializers.Serializer[Any]):
    at_s = serializers.FloatField(help_text="Seconds since the common start.")
    level = serializers.FloatField(help_text="Users, conversations per second, or speed.")
    by = serializers.CharField()


class SessionSerializer(serializers.ModelSerializer[Session]):
    shard = serializers.IntegerField(source="shard_id")

    class Meta:
        model = Session
        fields = ["id", "shard", "user_no", "scenario", "model", "params"]
        fields += ["started_ns", "ended_ns", "outcome", "code", "turns"]
        read_only_fields = fields

    def to_representation(self, instance: Session) -> dict[str, Any]:
        """With the present names of outcome and error code."""
        shown = super().to_representation(instance)
        return {**shown, "outcome": session_end(shown["outcome"]), "code": present_code(shown["code"])}


OUTCOME_FILTER = OpenApiParameter("outcome", enum=list(OUTCOMES), description="Only turns with this outcome.")
CODE_FILTER = OpenApiParameter("code", description="Only those with this error code, such as http_500.")


class RunViewSet(
    Located,
    ApprovalActions,
    PeopleActions,
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Run],
):
    """One execution of a plan, with a frozen copy of everything it ran."""

    queryset = Run.objects.all()
    filterset_fields = ["status", "plan"]
    required_perms = {"POST": [CONTROL]}
    run_actions = ("create", "stop", "load", "approve", "refuse")
    """What a token with the scope "run" may do."""
    own_filters: tuple[str, ...] = ()
    """Parameters of an address that an action reads itself."""

    def get_queryset(self) -> QuerySet[Run]:
        found = super().get_queryset().defer("sealed_secrets")
        return found.prefetch_related("shards") if self.action == "retrieve" else found.defer("report")

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return RunDetailSerializer if self.action == "retrieve" else RunSerializer

    @extend_schema(request=StartSerializer, responses={201: RunSerializer, 400: RunRefusalSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Start a run of a plan."""
        asked = StartSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            run = request_run(asked.validated_data["plan"], user=request.user)
        except RequestError as exc:
            raise refusal(exc) from exc
        data = RunSerializer(run).data
        return Response(data, status.HTTP_201_CREATED, headers=self.get_success_headers(data))

    @extend_schema(responses={204: None, 409: ProblemSerializer})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete a run that is over: turns, sessions, report, and its ledgers on the machine of this site."""
        try:
            delete_run(self.get_object())
        except RunNotOverError as exc:
            raise Conflict(str(exc)) from exc
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: RunSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Stop a run. Its engines send nothing new within seconds, and a report of what was measured follows."""
        run = self.get_object()
        refuse_body(request)
        if not stop_run(run, f"stopped by {request.user}"):
            run.refresh_from_db(fields=["status"])
            raise Conflict(f"run {run.pk} is {run.status}: there is nothing to stop")
        run.refresh_from_db(fields=["status", "reason", "stop_requested_at", "ended_at"])
        return Response(RunSerializer(run).data, status.HTTP_202_ACCEPTED)

    @extend_schema(request=LoadSerializer, responses={202: LoadChangeSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def load(self, request: Request, pk: str) -> Response:
        """Change the load of a run in progress. Every engine applies the change at `at_s`, about a second from now."""
        run = self.get_object()
        asked = LoadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        ((name, level),) = asked.validated_data.items()
        try:
            change = change_load(run, level, by=str(request.user), name=name, user=request.user)
        except SteeringError as exc:
            if exc.code in {"not_running", "too_late", "too_many"}:
                raise Conflict(str(exc)) from exc
            raise serializers.ValidationError({name: [str(exc)], "code": [exc.code]}) from exc
        return Response(change, status.HTTP_202_ACCEPTED)

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "The report"), 404: ProblemSerializer})
    @action(detail=True)
    def report(self, request: Request, pk: str) -> Response:
        """The final report. The command line's --json prints a selection of its keys."""
        return Response(self._report())

    @extend_schema(responses={(200, XML): OpenApiTypes.STR, 404: ProblemSerializer})
    @action(detail=True, filter_backends=[], content_negotiation_class=AnyAccept)
    def junit(self, request: Request, pk: str) -> HttpResponse:
        """The report as JUnit XML: a test case for the run, one for each threshold, one for the verdict."""
        return HttpResponse(junit_xml(self._report()), content_type=XML)

    @extend_schema(responses={(200, MARKDOWN): OpenApiTypes.STR, 404: ProblemSerializer})
    @action(detail=True, filter_backends=[], content_negotiation_class=AnyAccept)
    def summary(self, request: Request, pk: str) -> HttpResponse:
        """The report as a short summary in Markdown."""
        return HttpResponse(summary_md(self._report()), content_type=f"{MARKDOWN}; charset=utf-8")

    def _report(self) -> RunReport:
        run = self.get_object()
        if run.report is None:
            raise NotFound(f"run {run.pk} is {run.status} and has no report yet")
        return run.report if may_read_texts(self.request.user) else plain_report(run.report, run.end_code)

    @extend_schema(responses=TurnSerializer(many=True), parameters=[OUTCOME_FILTER, CODE_FILTER])
    @action(detail=True, pagination_class=ById, filter_backends=[], own_filters=("outcome", "code"))
    def turns(self, request: Request, pk: str) -> Response:
        """Every turn of the run, in the order of ids."""
        found = SessionMetric.objects.filter(run=self.get_object()).defer("icl_us", "arrival_error_ns")
        return self._pages(found, TurnSerializer)

    @extend_schema(responses=SessionSerializer(many=True), parameters=[CODE_FILTER])
    @action(detail=True, pagination_class=ById, filter_backends=[], own_filters=("code",))
    def sessions(self, request: Request, pk: str) -> Response:
        """Every session of the run, in the order of ids."""
        found = Session.objects.filter(run=self.get_object())
        return self._pages(found, SessionSerializer)

    def _pages(self, found: QuerySet[Any], serializer: type[serializers.ModelSerializer[Any]]) -> Response:
        page = self.paginate_queryset(_filtered(found, self.request, self.own_filters))
        context = {**self.get_serializer_context(), "texts": may_read_texts(self.request.user)}
        return self.get_paginated_response(serializer(page, many=True, context=context).data)


def _filtered(found: QuerySet[Any], request: Request, names: tuple[str, ...]) -> QuerySet[Any]:
    given = {name: request.query_params[name] for name in names if request.query_params.get(name)}
    if given.get("outcome", OUTCOMES[0]) not in OUTCOMES:
        raise serializers.ValidationError({"outcome": [f"choose one of {', '.join(OUTCOMES)}"]})
    codes = {"code__in": names_of_code(given.pop("code"))} if "code" in given else {}
    return found.filter(**given, **codes)
