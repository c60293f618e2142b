"""Learning a target over the API: what the page in the admin proposes, for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from targets import learn_api, learn_page
from targets.learning.learn import learn
from targets.models import Target
from tests.integration.web import made_up
from tests.support.recorded_chats import KEY, preset_chats, unknown_chats

LEARN = "/api/targets/learn/"
BODY = '{"model": "m-7", "messages": [{"role": "user", "content": "Hello you"}]}'
LINE = f"curl http://127.0.0.1:9/v1/chat/completions -H 'Authorization: Bearer {made_up.SECRET}' -d '{BODY}'"
ANSWER = 'HTTP/1.1 200 OK\n\n{"choices": [{"message": {"content": "It is me."}}]}'


def test_a_curl_line_and_its_answer_become_a_target_that_the_api_takes(api: APIClient) -> None:
    answer = api.post(LEARN, {"texts": [LINE, ANSWER]})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["message"], found["secrets"], found["untold"]) == ("Hello you", ["api_key"], [])
    assert found["reads"] == {"text": "It is me.", "tokens_in": None, "tokens_out": None, "error": ""}
    assert made_up.SECRET not in answer.content.decode()
    assert not Target.objects.exists()
    assert api.post("/api/targets/", {"name": "Learned", **found["target"]}).status_code == 201
    assert Target.objects.get().params == {"model": "m-7"}


def test_a_file_gives_what_the_command_line_gives(api: APIClient) -> None:
    chats = [chat for chat in (*preset_chats(), *unknown_chats()) if chat.data["form"] == "har"]
    for chat in chats[:3]:
        file = SimpleUploadedFile("chat.har", chat.text().encode())
        answer = api.post(LEARN, {"file": file, "message": chat.last["message"]}, format="multipart")
        assert answer.json() == learn([chat.text()], message=chat.last["message"]).as_dict()
        assert KEY not in answer.content.decode()


@pytest.mark.parametrize(
    ("body", "where", "says"),
    [
        ({}, "non_field_errors", "give `texts` or, in a form, a `file`"),
        ({"texts": []}, "texts", "may not be empty"),
        ({"texts": ["curl http://127.0.0.1/ -d @/etc/passwd"]}, "texts", "is not opened"),
        ({"texts": [made_up.SECRET]}, "texts", "none that can be read"),
        ({"texts": ["x"] * (learn_api.TEXTS + 1)}, "texts", f"no more than {learn_api.TEXTS}"),
        ({"texts": "curl http://127.0.0.1/"}, "texts", "Expected a list"),
        ({"texts": [LINE], "secret": "x"}, "secret", "is not a known field"),
    ],
)
def test_what_is_of_no_use_is_refused_with_its_field(
    api: APIClient, body: dict[str, Any], where: str, says: str
) -> None:
    answer = api.post(LEARN, body)
    assert answer.status_code == 400
    assert says in json.dumps(answer.json()[where])
    assert made_up.SECRET not in answer.content.decode()


def test_its_limits_are_those_of_the_page(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    long = api.post(LEARN, {"texts": ["x" * (learn_page.TEXT_CHARS + 1)]})
    assert (long.status_code, "no more than 1000000 characters" in long.content.decode()) == (400, True)
    monkeypatch.setattr(learn_api, "FILE_BYTES", 3)
    large = api.post(LEARN, {"file": SimpleUploadedFile("a.har", b"four")}, format="multipart")
    assert (large.status_code, large.json()) == (400, {"file": ["the file is too large: at most 3 bytes"]})
    monkeypatch.setattr(learn_page, "TARGET_BYTES", 3)
    assert api.post(LEARN, {"texts": [LINE]}).json() == {
        "texts": ["the proposal is too large: record a shorter conversation"]
    }


def test_who_may_not_add_targets_learns_none(db: None) -> None:
    client = APIClient()
    for rights, status in (((), 403), (("targets.view_target",), 403), (("targets.add_target",), 200)):
        client.force_login(made_up.user(*rights))
        assert client.post(LEARN, {"texts": [LINE]}).status_code == status, rights
