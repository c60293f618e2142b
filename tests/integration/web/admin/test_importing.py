"""Files become scenarios, or data of one, through the admin and the API; long data is never sent through a form."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from attachments.generated import generated
from scenarios.models import Scenario
from tests.integration.web import made_up

PAGE = "/admin/scenarios/scenario/import/"
TALKS = [{"id": str(n), "conversations": [{"from": "human", "value": f"hello {n}"}]} for n in range(120)]
CSV = "name,city\nAda,Bern\nBo,Oslo\n"


def upload(name: str, content: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, (content if isinstance(content, str) else json.dumps(content)).encode())


def with_data() -> Scenario:
    spec = {
        "name": "own",
        "steps": [{"do": "say", "text": "{{ data.p.name }}"}],
        "data": {"p": {"rows": [{"name": "Cy"}]}},
    }
    return Scenario.objects.create(name="own", spec=spec)


def test_an_uploaded_file_is_a_scenario_in_the_admin(admin_page: Client) -> None:
    assert "Import a file" in admin_page.get("/admin/scenarios/scenario/").content.decode()
    assert 'type="file"' in admin_page.get(PAGE).content.decode()
    broken = [*TALKS, {"id": "x", "conversations": [{"from": "gpt", "value": "first"}]}]
    answer = admin_page.post(PAGE, {"file": upload("talks.json", broken), "name": "helpdesk"}, follow=True)
    row = Scenario.objects.get(name="helpdesk")
    assert len(row.spec["data"]["talks"]["rows"]) == 120
    page = answer.content.decode()
    assert "1 of 121 conversations are left out" in page
    assert "120 rows, kept as they are" in page
    assert "hello 7" not in page
    again = admin_page.post(PAGE, {"file": upload("talks.json", TALKS), "name": "helpdesk"})
    assert "there is a scenario named &#x27;helpdesk&#x27; already" in again.content.decode()


def test_long_data_stays_when_a_scenario_is_edited_around_it(admin_page: Client) -> None:
    admin_page.post(PAGE, {"file": upload("talks.json", TALKS)})
    row = Scenario.objects.get(name="talks")
    before = row.spec["data"]["talks"]["rows"]
    address = f"/admin/scenarios/scenario/{row.pk}/change/"
    shown = admin_page.get(address).context["adminform"].form.initial["spec"]
    shown["data"]["talks"]["use"] = "random"
    assert admin_page.post(address, {"name": "talks", "spec": json.dumps(shown)}).status_code == 302
    row.refresh_from_db()
    assert row.spec["data"]["talks"] == {"rows": before, "use": "random"}
    shown["data"]["talks"]["rows"] = "99 rows, kept as they are"
    page = admin_page.post(address, {"name": "talks", "spec": json.dumps(shown)}).content.decode()
    assert "data.talks.rows: must be a list" in page


def test_long_files_stay_when_a_scenario_is_edited_around_them(admin_page: Client) -> None:
    packed = base64.b64encode(generated("png", 30_000, "a").data).decode()
    steps = [{"do": "say", "text": "Look", "attachments": ["a"]}]
    files = {"a": {"base64": packed, "name": "a.png"}, "short": {"base64": "R0lGODlh"}}
    spec = {"name": "look", "files": files, "steps": steps}
    admin_page.post(PAGE, {"file": upload("look.json", spec)})
    row = Scenario.objects.get(name="look")
    address = f"/admin/scenarios/scenario/{row.pk}/change/"
    shown = admin_page.get(address).context["adminform"].form.initial["spec"]
    assert shown["files"]["a"]["base64"] == "40,000 characters, kept as they are"
    assert shown["files"]["short"]["base64"] == "R0lGODlh"
    shown["files"]["a"]["name"] = "b.png"
    assert admin_page.post(address, {"name": "look", "spec": json.dumps(shown)}).status_code == 302
    row.refresh_from_db()
    assert (row.spec["files"]["a"]["base64"], row.spec["files"]["a"]["name"]) == (packed, "b.png")
    shown["files"]["a"]["base64"] = "1 characters, kept as they are"
    page = admin_page.post(address, {"name": "look", "spec": json.dumps(shown)}).content.decode()
    assert "files.a: base64: is not base64" in page
    shown["files"]["a"] = {"path": "/etc/passwd"}
    page = admin_page.post(address, {"name": "look", "spec": json.dumps(shown)}).content.decode()
    assert "files.a: a path is read only by `burn`" in page


def test_an_uploaded_table_is_data_of_a_scenario_in_the_admin(admin_page: Client) -> None:
    row = with_data()
    form = {"file": upload("people.csv", CSV), "scenario": row.pk, "pool": "p", "use": "once"}
    assert admin_page.post(PAGE, form).status_code == 302
    row.refresh_from_db()
    assert row.spec["data"]["p"] == {
        "rows": [{"name": "Ada", "city": "Bern"}, {"name": "Bo", "city": "Oslo"}],
        "use": "once",
    }
    page = admin_page.post(PAGE, form | {"file": upload("p.csv", "city\nBern\n")}).content.decode()
    assert "not every row of `data.p` has &#x27;name&#x27;" in page
    assert "the first line of p.csv was taken as names: &#x27;city&#x27;" in page
    page = admin_page.post(PAGE, form | {"file": upload("p.csv", CSV), "pool": ""}).content.decode()
    assert "Give both a scenario and the name" in page


@pytest.fixture
def api(boss: User) -> APIClient:
    client = APIClient()
    client.force_login(boss)
    return client


def test_the_api_takes_a_file_or_its_text(api: APIClient) -> None:
    answer = api.post("/api/scenarios/import/", {"file": upload("t.json", TALKS), "limit": 10}, format="multipart")
    assert answer.status_code == 201, answer.json()
    [made] = answer.json()["scenarios"]
    whole = api.get(f"/api/scenarios/{made['id']}/").json()
    assert len(whole["spec"]["data"]["talks"]["rows"]) == 10
    lines = "\n".join(json.dumps({"messages": [{"role": "user", "content": f"q{n}"}]}) for n in range(60))
    answer = api.post("/api/scenarios/import/", {"text": lines, "filename": "chat.jsonl", "name": "chat"})
    assert answer.status_code == 201, answer.json()
    listed = {row["name"]: row for row in api.get("/api/scenarios/?name=chat").json()["results"]}
    assert listed["chat"]["spec"]["data"]["talks"]["rows"] == "60 rows, kept as they are"


def test_the_api_gives_a_scenario_new_rows(api: APIClient) -> None:
    row = with_data()
    body = {"text": CSV, "filename": "p.csv", "scenario": row.pk, "pool": "p", "use": "random"}
    assert api.post("/api/scenarios/import/", body).status_code == 201
    row.refresh_from_db()
    assert (row.spec["data"]["p"]["use"], len(row.spec["data"]["p"]["rows"])) == ("random", 2)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "give either `file` or `text`"),
        ({"text": "[", "filename": "x.json"}, "x.json: not JSON: the list has no end"),
        ({"text": '{"a": 1}\n', "filename": "x.jsonl"}, "x.jsonl: line 1: it has no `messages`"),
        ({"text": CSV, "filename": "x.csv"}, "x.csv: a table is data for a scenario"),
        ({"text": CSV, "filename": "x.csv", "pool": "p"}, "give both `scenario` and `pool`"),
        ({"text": "hi", "filename": "x.txt", "name": "rapid-fire"}, "there is a scenario named 'rapid-fire' already"),
        ({"text": "hi", "filename": "x.txt", "limit": 0}, "greater than or equal to 1"),
    ],
)
def test_the_api_says_what_is_wrong_with_a_file(api: APIClient, body: dict[str, Any], says: str) -> None:
    answer = api.post("/api/scenarios/import/", body)
    assert answer.status_code == 400
    assert says in answer.content.decode()


def test_importing_needs_the_rights_to_add_and_to_change(db: None) -> None:
    row = with_data()
    body = {"text": CSV, "filename": "p.csv", "scenario": row.pk, "pool": "p"}
    for rights, expected in (
        ((), 403),
        (("scenarios.add_scenario",), 403),
        (("scenarios.add_scenario", "scenarios.change_scenario"), 201),
    ):
        client = APIClient()
        client.force_login(made_up.user(*rights))
        assert client.post("/api/scenarios/import/", body).status_code == expected


def test_a_runs_page_in_the_admin_says_long_data_in_a_few_words(admin_page: Client) -> None:
    run = made_up.run()
    scenario = {
        "name": "s",
        "steps": [{"do": "say", "text": "<b>{{ data.p }}</b>"}],
        "data": {"p": {"rows": ["hello"] * 60}},
    }
    run.scenario_specs = [{"weight": 1.0, "scenario": scenario}]
    run.save()
    page = admin_page.get(f"/admin/runs/run/{run.pk}/change/").content.decode()
    assert "60 rows, kept as they are" in page
    assert "hello" not in page
    assert "&lt;b&gt;" in page
