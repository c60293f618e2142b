"""The schema as it is served: made once, and yet what was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.integration.web import made_up
from tokenburn_site.web import views

ADDRESS = "/api/schema/"
JSON, YAML = "application/vnd.oai.openapi+json", "application/vnd.oai.openapi"
urlpatterns = [path("api/schema/", views.schema), path("api/health/", views.health)]
"""Of another site, which has little."""


def read(answer: Any) -> Any:
    if "json" in answer["Content-Type"]:
        return json.loads(answer.content)
    return yaml.load(answer.content, yaml.CSafeLoader)


def test_it_is_made_once_for_all_people_and_formats(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.SITE_URL = "https://burn.example"  # whatever: a setting changes, and nothing is known any more
    made: list[SchemaGenerator] = []
    parse: Any = SchemaGenerator.parse

    def noting(self: SchemaGenerator, *given: Any) -> Any:
        made.append(self)
        return parse(self, *given)

    monkeypatch.setattr(SchemaGenerator, "parse", noting)
    reader = APIClient()
    reader.force_login(made_up.user("runs.view_run"))
    for client in (api, reader):
        assert client.get(ADDRESS).status_code == client.get(f"{ADDRESS}?format=json").status_code == 200
    assert len(made) == 1
    assert APIClient().get(ADDRESS).status_code == 401


def test_it_is_written_as_the_header_asks(api: APIClient) -> None:
    for kind in ("application/json", JSON, "application/yaml", YAML):
        answer = api.get(ADDRESS, headers={"accept": kind})
        assert answer["Content-Type"].split(";")[0] == kind
        assert read(answer)["info"]["title"] == "Token-Burn"
    assert api.get(ADDRESS, headers={"accept": "image/png"}).status_code == 406


def test_each_person_is_told_what_would_be_made_for_them(api: APIClient, boss: User, rf: Any) -> None:
    told = api.get(f"{ADDRESS}?format=json").json()
    assert told == read(api.get(ADDRESS))
    for person in (boss, made_up.user("runs.view_run")):
        asked = rf.get(ADDRESS)
        asked.user, asked.auth = person, None
        library: Any = SchemaGenerator
        assert told == json.loads(json.dumps(library().get_schema(asked, public=True)))


def test_a_version_and_a_language_are_not_mixed_up_with_it(api: APIClient) -> None:
    first = api.get(f"{ADDRESS}?format=json").json()
    assert api.get(f"{ADDRESS}?format=json&lang=fr").json() != first
    for query in ("?format=json&version=2", "?version=2"):
        assert read(api.get(ADDRESS + query))["info"]["version"] == f"{first['info']['version']} (2)"
    assert api.get(f"{ADDRESS}?format=json").json() == first


def test_other_settings_make_another(api: APIClient, settings: Any) -> None:
    first, urls = api.get(ADDRESS).content, settings.ROOT_URLCONF
    settings.ROOT_URLCONF = __name__
    assert list(read(api.get(ADDRESS))["paths"]) == list(api.get(f"{ADDRESS}?format=json").json()["paths"])
    assert list(read(api.get(ADDRESS))["paths"]) == ["/api/health/"]
    settings.ROOT_URLCONF = urls
    assert api.get(ADDRESS).content == first
