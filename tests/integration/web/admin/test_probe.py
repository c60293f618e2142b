"""The test message in the admin and over the API: who may send it, what is shown, and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from audit.models import AuditEvent
from targets.models import Target
from tests.hostile.server import HostileServer
from tests.integration.connectors.scripted import Asked, says, scripted
from tests.integration.web import made_up
from tests.integration.web.chatbot import always

HOSTILE = f"{made_up.HOSTILE} {made_up.SECRET} \x1b[31m"
ANSWER = {"choices": [{"message": {"role": "assistant", "content": HOSTILE}}], "usage": {"completion_tokens": 7}}


@pytest.fixture
def chatbot() -> Iterator[HostileServer]:
    """One that says markup, and the key that it was given."""
    with always(ANSWER) as server:
        yield server


@pytest.fixture
def target(db: None, chatbot: HostileServer) -> Target:
    return made_up.target(url=f"{chatbot.url.removesuffix('/v1')}/v1", params={"model": "m"})


def page_of(target: Target) -> str:
    return f"/admin/targets/target/{target.pk}/test-message/"


def test_the_button_leads_to_a_form_that_sends_nothing_yet(
    admin_page: Client, target: Target, chatbot: HostileServer
) -> None:
    change = admin_page.get(f"/admin/targets/target/{target.pk}/change/").content.decode()
    assert "Send a test message" in change
    assert page_of(target) in change
    page = admin_page.get(page_of(target))
    assert page.status_code == 200
    assert 'name="message"' in page.content.decode()
    assert chatbot.requests == []


@pytest.mark.parametrize("lane", ["reference", "load"])
def test_a_post_sends_one_message_and_shows_all_but_the_secret(
    lane: str, admin_page: Client, target: Target, chatbot: HostileServer
) -> None:
    page = admin_page.post(page_of(target), {"message": "Which river?", "lane": lane}).content.decode()
    assert len(chatbot.requests) == 1
    assert f"Bearer {made_up.SECRET}".encode() in chatbot.requests[0]
    assert re.search(r"Answered: \d+ characters in 1 piece\.", page)
    assert "POST http://127.0.0.1" in page
    assert "Bearer ***" in page
    assert "text, usage, done" in page
    assert made_up.SECRET not in page
    assert "<img src=x" not in page
    assert "\x1b" not in page


def test_an_unusable_target_and_an_empty_message_are_said_on_the_page(
    admin_page: Client, target: Target, chatbot: HostileServer
) -> None:
    assert "This field is required" in admin_page.post(page_of(target), {"message": ""}).content.decode()
    target.overrides = {"request": {"path": "{{ nobody.knows }}"}}
    target.save()
    page = admin_page.post(page_of(target), {"message": "x"}).content.decode()
    assert "nobody.knows" in page
    assert chatbot.requests == []


def test_a_refused_connection_is_shown_with_its_code(admin_page: Client, db: None) -> None:
    page = admin_page.post(page_of(made_up.target()), {"message": "x", "lane": "reference"}).content.decode()
    assert "connect_refused" in page
    assert "Request, not sent" in page


def test_who_may_only_look_may_not_send(client: Client, target: Target, chatbot: HostileServer) -> None:
    client.force_login(made_up.user("targets.view_target"))
    assert "Send a test message" not in client.get(f"/admin/targets/target/{target.pk}/change/").content.decode()
    assert client.get(page_of(target)).status_code == 403
    assert client.post(page_of(target), {"message": "x"}).status_code == 403
    api = APIClient()
    api.force_login(made_up.user("targets.view_target", "targets.add_target"))
    assert api.post(f"/api/targets/{target.pk}/probe/", {"message": "x"}).status_code == 403
    assert chatbot.requests == []


def test_a_target_that_is_not_there_is_not_found(admin_page: Client) -> None:
    assert admin_page.get("/admin/targets/target/999/test-message/").status_code == 404
    assert admin_page.post("/admin/targets/target/nonsense/test-message/").status_code == 404


def test_the_api_shows_the_same(target: Target, chatbot: HostileServer) -> None:
    api = APIClient()
    ann = made_up.user("targets.change_target")
    api.force_login(ann)
    assert api.post(f"/api/targets/{target.pk}/probe/", {"message": "x"}).status_code == 400
    assert target.credential is not None
    target.credential.users.add(ann)
    answer = api.post(f"/api/targets/{target.pk}/probe/", {"message": "Which river?"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["ok"], found["lane"], found["turns"][0]["tokens_out"]) == (True, "reference", 7)
    assert found["turns"][0]["frames"][0]["gave"] == ["text", "usage", "done"]
    assert made_up.SECRET.encode() not in answer.content
    assert api.post(f"/api/targets/{target.pk}/probe/", {"message": ""}).status_code == 400
    target.overrides = {"protocol": "pigeon"}
    target.save()
    refused = api.post(f"/api/targets/{target.pk}/probe/", {"message": "x"})
    assert refused.status_code == 400
    assert "pigeon" in refused.content.decode()
    assert len(chatbot.requests) == 1


class Jobs:
    """Behind a log-in with a cookie; answers are fetched by the Location that a question gives."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, request: Asked) -> bytes:
        if request.path == "/v1/login":
            return says({}, "204 No", "Set-Cookie: csrf=t0ken; Path=/")
        if request.headers.get("cookie") != "csrf=t0ken":
            return says({"error": "no cookie"}, "403 No")
        if request.path == "/v1/ask" and request.headers["x-csrf"] == "t0ken":
            return says({}, "202 Accepted", "Location: jobs/7")
        self.looks += 1
        return says({"state": "running"} if self.looks % 2 else {"text": "It is done."})


STATEFUL = {
    "handshake": {"steps": [{"name": "login", "url": "/login", "save": {"csrf": {"cookie": "csrf"}}}]},
    "request": {"path": "/ask", "headers": {"X-CSRF": "{{ saved.csrf }}"}, "save": {"job": {"header": "Location"}}},
    "then": [{"name": "poll", "url": "{{ saved.job }}", "until": {"path": "text"}, "every_s": 0.05}],
    "response": {"text": "text"},
}


@pytest.mark.parametrize("lane", ["reference", "load"])
def test_a_target_with_state_is_made_and_tried_over_the_api_and_in_the_admin(lane: str, admin_page: Client) -> None:
    with scripted(Jobs()) as bot:
        body = {"name": f"stateful {lane}", "preset": "generic-json", "url": f"{bot.url}/v1", "overrides": STATEFUL}
        made = admin_page.post("/api/targets/", body, "application/json")
        assert made.status_code == 201, made.content
        found = admin_page.post(f"/api/targets/{made.json()['id']}/probe/", {"message": "x"}, "application/json").json()
        page = admin_page.post(page_of(Target.objects.get(pk=made.json()["id"])), {"message": "x", "lane": lane})
    assert found["ok"], found["turns"][0]["error"]
    assert found["turns"][0]["text"] == "It is done."
    assert {"login", "then.request", "then.poll"} <= set(found["turns"][0]["handshake_ms"])
    parts = [(part["name"], part["status"], part["answer"]) for part in found["turns"][0]["parts"]]
    assert parts == [
        ("request", 202, "{}"),
        ("poll", 200, '{"state":"running"}'),
        ("poll", 200, '{"text":"It is done."}'),
    ]
    shown = page.content.decode()
    assert "It is done." in shown
    assert "<h2>Handshake step login</h2>" in shown
    assert "<h2>Part poll</h2>" in shown
    assert "t0ken" not in page.content.decode()


def test_each_is_told_in_the_audit_log(admin_page: Client, boss: User, target: Target, chatbot: HostileServer) -> None:
    """By whatever door, also one that is refused; and never what was said."""
    admin_page.post(page_of(target), {"message": "Which river?", "lane": "load"})
    api = APIClient()
    ann = made_up.user("targets.change_target")
    api.force_login(ann)
    api.post(f"/api/targets/{target.pk}/probe/", {"message": "Which river?"})
    assert target.credential is not None
    target.credential.users.add(ann)
    api.post(f"/api/targets/{target.pk}/probe/", {"message": "Which river?"})
    told = AuditEvent.objects.filter(action="target.probe", key=str(target.pk)).order_by("id")
    assert [(event.door, event.user_name, event.outcome, event.details["lane"]) for event in told] == [
        ("admin", boss.username, "done", "load"),
        ("api", ann.username, "refused", "reference"),
        ("api", ann.username, "done", "reference"),
    ]
    assert not AuditEvent.objects.filter(details__icontains="river").exists()
    assert len(chatbot.requests) == 2


def test_the_page_shows_what_sends_results_of_tools_and_that_rounds_are_used_up(admin_page: Client) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    calls = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}}]}
    with always(calls) as bot:
        overrides = {"tool_results": {"*": "18 <b>degrees</b>"}, "tool_rounds": 1}
        url = f"{bot.url.removesuffix('/v1')}/v1"
        target = made_up.target(url=url, params={"model": "m"}, overrides=overrides)
        page = admin_page.post(page_of(target), {"message": "x", "lane": "load"}).content.decode()
    assert "<h2>Round 2</h2>" in page and "18 &lt;b&gt;degrees" in page and "no answer" not in page
    assert "tool_rounds: all 1 are used up" in page


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"tool_results": {"*": "{{ request }}"}}, "tool_results.*: {{ request }}: 'request' is not known"),
        ({"request": {"body": {"x": "{{ tool.id }}"}}}, "request.body.x: {{ tool.id }}: 'tool' is not known"),
        ({"request": {"body": {"x": "{{ env }}"}}}, "request.body.x: {{ env }}: 'env' is not known"),
        ({"request": {"encoding": "form", "body": {"x": "{{ env }}"}}}, "request.body.x: {{ env }}: 'env' is not"),
        ({"request": {"encoding": "text", "body": "{{ env }}"}}, "request.body: {{ env }}: 'env' is not known"),
        ({"request": {"path": "/{{ env }}"}}, "request.path: {{ env }}: 'env' is not known"),
        ({"request": {"headers": {"X": "{{ env }}"}}}, "request.headers.X: {{ env }}: 'env' is not known"),
        ({"tool_results": dict.fromkeys("abcdefgh", "{{ ('x' * 999999) | upper }}")}, "tool_results.d: {{ ('x' * 9"),
    ],
)
def test_a_template_that_nothing_makes_right_is_refused_when_its_target_is_stored(
    admin_page: Client, overrides: dict[str, object], said: str
) -> None:
    body = {"name": "t", "preset": "openai-chat", "url": "http://127.0.0.1:1/v1", "overrides": overrides}
    refused = admin_page.post("/api/targets/", body, "application/json")
    assert refused.status_code == 400
    assert refused.json()["overrides"][0].startswith(said)
