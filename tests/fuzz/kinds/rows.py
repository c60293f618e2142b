"""The rows that requests are about, in the subject's database, and the seeds that are read from the site itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from runs.models import RunStatus, Webhook
from runs.schedules.services import create_schedule
from tests.integration.web import made_up
from tokenburn_site import urls  # noqa: F401  they register the admin's pages

LEFT_OUT: Final = ("/test/", "/logout", "/password_change")
"""Addresses that would reach out, or end the session."""


class Rows:
    """One row of each kind, committed; requests change them in transactions that are rolled back."""

    def __init__(self) -> None:
        self.user: User = made_up.user(superuser=True)
        self.target = made_up.target(params={"model": "m"}, overrides={"timeouts": {"total": 3.0}})
        self.plan = made_up.plan(self.target)
        self.scenario = made_up.scenario()
        self.run = made_up.run(of=self.plan)
        made_up.fill(self.run, seconds=5, per_second=3)
        made_up.finish(self.run)
        self.running = made_up.run(RunStatus.RUNNING, of=self.plan)
        each_hour = {"every": 1, "period": "hours"}
        self.schedule = create_schedule(name="each hour", plan=self.plan, when=each_hour, user=self.user)
        self.webhook = Webhook.objects.create(name="told", host="127.0.0.1:9")
        self.ids = {
            "target": self.target.pk,
            "plan": self.plan.pk,
            "scenario": self.scenario.pk,
            "run": self.run.pk,
            "running": self.running.pk,
            "schedule": self.schedule.pk,
            "webhook": self.webhook.pk,
            "credential": self.target.credential_id or 0,
        }


@cache
def rows() -> Rows:
    return Rows()


@cache
def api() -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_login(rows().user)
    return client


@cache
def browser() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(rows().user)
    return client


def operations() -> list[tuple[str, str, Any, dict[str, Any]]]:
    """(method, path, body, query) of all that the API's schema tells, with values of the right types."""
    generator: Any = SchemaGenerator  # it has no types
    schema = generator().get_schema(request=None, public=True)
    parts = schema["components"]["schemas"]
    found = []
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            if any(part in path for part in LEFT_OUT):
                continue
            content = told.get("requestBody", {}).get("content", {})
            body = _sample(content["application/json"]["schema"], parts) if "application/json" in content else None
            query = {one["name"]: "1" for one in told.get("parameters", []) if one["in"] == "query"}
            found.append((method.upper(), path, body, query))
    return found


def _sample(schema: dict[str, Any], parts: dict[str, Any], depth: int = 0) -> Any:
    if "$ref" in schema:
        return _sample(parts[schema["$ref"].rsplit("/", 1)[1]], parts, depth)
    for several in ("allOf", "oneOf", "anyOf"):
        if schema.get(several):
            return _sample(schema[several][0], parts, depth)
    if schema.get("enum"):
        return schema["enum"][0]
    kinds: dict[Any, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True}
    match schema.get("type"):
        case "object" if depth < 6:
            return {name: _sample(part, parts, depth + 1) for name, part in schema.get("properties", {}).items()}
        case "object":
            return {}
        case "array":
            return [_sample(schema.get("items", {}), parts, depth + 1)]
        case [kind, *_] | kind:  # of several, one of which may be null, the first
            return kinds.get(kind, {})


def forms() -> dict[str, dict[str, str]]:
    """By address of each page of the admin with a form: what a browser would send if nothing was changed."""
    found = {}
    for address in _admin_addresses():
        answer = browser().get(address)
        if answer.status_code == 200 and answer.context and "adminform" in answer.context:
            found[address] = dict(_fields(answer.context))
    return {address: fields for address, fields in found.items() if fields}


def _admin_addresses() -> Iterator[str]:
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_add")
        row = model._default_manager.first()
        if row is not None:
            try:
                yield reverse(f"{name}_change", args=[row.pk])
            except NoReverseMatch:
                continue


def _fields(context: Any) -> Iterator[tuple[str, str]]:
    inside = [form for one in context.get("inline_admin_formsets", ()) for form in one.formset.forms]
    managing = [one.formset.management_form for one in context.get("inline_admin_formsets", ())]
    for form in (context["adminform"].form, *inside, *managing):
        for field in form:
            value = field.value()
            yield field.html_name, "" if value is None else str(value)


def changelists() -> list[str]:
    return [reverse(f"admin:{m._meta.app_label}_{m._meta.model_name}_changelist") for m in admin.site._registry]
