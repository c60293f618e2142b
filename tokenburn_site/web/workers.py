"""The live workers, for the page, the API and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import redis
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from metrics.number_format import duration, number
from runs.permissions import may_view
from runs.web.views import allowed
from runs.workers import registry
from tokenburn_site.config.version import VERSION

CLOCK_NOTED_MS = 1000.0
"""A host's clock that is further off is pointed out: no figure of ours rests on it, but its logs are hard to read."""
AWAY = "the broker does not answer, so it is not known which workers are alive"


def farm() -> dict[str, Any]:
    """{version, slots, busy, workers: [what each says of itself, same_version]}; slots are those of load workers.

    Raises redis.RedisError or OSError if the broker is away.
    """
    found = registry.workers()
    carrying = [worker for worker in found if worker.carries_load]
    return {
        "version": VERSION,
        "slots": sum(worker.slots for worker in carrying),
        "busy": sum(worker.busy for worker in carrying),
        "workers": [
            {**asdict(worker), "queues": list(worker.queues), "same_version": worker.version == VERSION}
            for worker in found
        ],
    }


class WorkerSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    host = serializers.CharField()
    region = serializers.CharField(help_text="Empty: no region.")
    queues = serializers.ListField(child=serializers.CharField())
    slots = serializers.IntegerField()
    busy = serializers.IntegerField(help_text="Slots in use.")
    version = serializers.CharField()
    same_version = serializers.BooleanField(help_text="Whether it is the version of the site.")
    pid = serializers.IntegerField()
    cpus = serializers.IntegerField()
    load1 = serializers.FloatField(help_text="Load average of the host over a minute.")
    up_s = serializers.FloatField()
    clock_offset_ms = serializers.FloatField(
        allow_null=True, help_text="Offset of its wall clock from the database's; null: not measured yet."
    )
    dropped = serializers.IntegerField(help_text="Messages that it dropped: not signed by this site, or not readable.")


class FarmSerializer(serializers.Serializer[Any]):
    version = serializers.CharField()
    slots = serializers.IntegerField()
    busy = serializers.IntegerField()
    workers = WorkerSerializer(many=True)


class AwaySerializer(serializers.Serializer[Any]):
    detail = serializers.CharField()


class WorkersView(APIView):
    """Every worker that gave a sign of life in the last seconds."""

    required_perms = {"GET": ["runs.view_run"], "HEAD": ["runs.view_run"], "OPTIONS": ["runs.view_run"]}

    @extend_schema(responses={200: FarmSerializer, 503: OpenApiResponse(AwaySerializer, AWAY)})
    def get(self, request: Request) -> Response:
        """Slots, and by worker: host, region, slots, busy, version, load, clock."""
        try:
            return Response(farm())
        except (redis.RedisError, OSError):
            return Response({"detail": AWAY}, status.HTTP_503_SERVICE_UNAVAILABLE)


@require_GET
@allowed(may_view)
def page(request: HttpRequest) -> HttpResponse:
    """The list as a page; with `?part=list` only what changes, which the page asks for every few seconds."""
    try:
        found = farm()
    except (redis.RedisError, OSError):
        context: dict[str, Any] = {"away": AWAY}
    else:
        context = {**found, "workers": [*map(_row, found["workers"])]}
    if request.GET.get("part") == "list":
        return render(request, "tokenburn/workers_list.html", context)
    return render(
        request, "tokenburn/workers.html", {**admin.site.each_context(request), "title": "Workers", **context}
    )


def _row(worker: dict[str, Any]) -> dict[str, Any]:
    return {
        **worker,
        "carries_load": any(queue.partition(".")[0] == registry.LOAD_QUEUE for queue in worker["queues"]),
        "shown_queues": [queue for queue in worker["queues"] if queue != registry.own_queue(worker["name"])],
        "load": number(worker["load1"]),
        "up": duration(worker["up_s"]),
        "clock": clock_text(worker["clock_offset_ms"]),
        "clock_is_off": abs(worker["clock_offset_ms"] or 0.0) > CLOCK_NOTED_MS,
    }


def clock_text(offset_ms: float | None) -> str:
    """For example "+120.0 s" or "-3 ms"; empty: not measured."""
    if offset_ms is None:
        return ""
    return f"{'-' if offset_ms < 0 else '+'}{duration(abs(offset_ms) / 1000)}"
