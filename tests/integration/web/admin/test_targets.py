"""Targets in the admin: secrets go in and never come out, mistakes are explained."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from connectors.spec import preset_names
from targets.models import Credential, Target
from tests.integration.web import made_up
from tests.integration.web.permissions.forms import form_values
from tests.support.credentials import keep
from tests.support.recorded_chats import KEY, unknown_chats

ADD = "/admin/targets/target/add/"
FORM = {
    "name": "Mine",
    "preset": "openai-chat",
    "url": "http://127.0.0.1:9/v1",
    "params": '{"model": "m"}',
    "overrides": "{}",
    "secret_name": "",
    "secret_value": "",
}


def change(target: Target) -> str:
    return f"/admin/targets/target/{target.pk}/change/"


def posted(target: Target, **fields: Any) -> dict[str, Any]:
    own = {"name": target.name, "url": target.url, "params": "{}", "credential": str(target.credential_id or "")}
    return FORM | own | fields


def test_every_preset_can_be_chosen(admin_page: Client) -> None:
    page = admin_page.get(ADD).content.decode()
    for name in preset_names():
        assert f'value="{name}"' in page
    assert re.search(r'<option value="openai-chat"\s+selected', page)


def test_a_target_shows_what_its_preset_needs_and_a_page_what_all_need(admin_page: Client) -> None:
    listed = admin_page.get("/admin/targets/target/presets/").content.decode()
    for name in preset_names():
        assert f'id="{name}"' in listed
    assert "https://docs.anthropic.com/en/api/messages" in listed
    assert "/admin/targets/target/presets/" in admin_page.get(ADD).content.decode()
    page = admin_page.get(change(made_up.target())).content.decode()
    assert "https://platform.openai.com/docs/api-reference/chat" in page


LEARN = "/admin/targets/target/learn/"


def test_a_curl_line_fills_in_the_form_of_a_new_target_without_its_secrets(admin_page: Client) -> None:
    body = '{"model": "m-7", "messages": [{"role": "user", "content": "Hello you"}], "temperature": 0.5}'
    line = f"curl http://127.0.0.1:9/v1/chat/completions -H 'Authorization: Bearer {made_up.SECRET}' -d '{body}'"
    answer = 'HTTP/1.1 200 OK\n\n{"choices": [{"message": {"content": "It is <i>me</i>."}}]}'
    page = admin_page.post(LEARN, {"text": f"{line}\n\n{answer}"}).content.decode()
    assert page.count(made_up.SECRET) == 1, "in the text that was pasted alone"
    assert made_up.SECRET in page[page.index("<textarea") : page.index("</textarea>")]
    assert made_up.SECRET not in str(dict(admin_page.session))
    for words in (
        "the preset", "Hello you", "<code>api_key</code>", "?learned=1", '<h2 class="tb-heading">Learn a target</h2>',
        "<dd>It is &lt;i&gt;me", "<h3>Proposal</h3>",
    ):  # fmt: skip
        assert words in page, words
    crumbs = page[page.index("<h1") : page.index("</h1>")]
    assert ['href="/admin/targets/target/"' in crumbs, "Learn a target" in crumbs] == [True, True]
    form = form_values(admin_page.get(f"{ADD}?learned=1").content.decode())
    assert (form["url"], form["preset"]) == ("http://127.0.0.1:9/v1", "openai-chat")
    assert json.loads(form["params"]) == {"model": "m-7", "temperature": 0.5}
    posted = form | {"name": "Learned", "secret_name": "api_key", "secret_value": made_up.SECRET}
    assert admin_page.post(ADD, posted).status_code == 302
    assert Target.objects.get(name="Learned").params["model"] == "m-7"
    assert form_values(admin_page.get(ADD).content.decode())["url"] == ""


def test_a_recorded_file_is_learned_and_what_is_of_no_use_is_refused(admin_page: Client) -> None:
    [chat] = [chat for chat in unknown_chats() if chat.name == "thread-first"]
    file = SimpleUploadedFile("chat.har", chat.text().encode())
    assert made_up.SECRET not in admin_page.get(LEARN).content.decode()
    page = admin_page.post(LEARN, {"file": file, "message": chat.last["message"]}).content.decode()
    assert chat.last["text"] in page
    assert KEY not in page
    for given, says in (
        ({}, "Paste something"),
        ({"text": "curl http://127.0.0.1/ -d @/etc/passwd"}, "is not opened"),
        ({"text": made_up.SECRET}, "none that can be read"),
    ):
        page = admin_page.post(LEARN, given).content.decode()
        assert says in page
        assert page.count(made_up.SECRET) == (given.get("text") == made_up.SECRET)


def test_a_secret_is_stored_sealed_and_only_its_name_is_shown(admin_page: Client) -> None:
    answer = admin_page.post(ADD, FORM | {"secret_name": "api_key", "secret_value": made_up.SECRET})
    assert answer.status_code == 302
    target = Target.objects.get(name="Mine")
    assert target.get_secrets() == {"api_key": made_up.SECRET}
    assert target.credential is not None
    assert made_up.SECRET not in target.credential.sealed_secrets
    page = admin_page.get(change(target)).content.decode()
    assert "api_key" in page
    assert made_up.SECRET not in page


def test_saving_without_touching_secrets_keeps_them(admin_page: Client) -> None:
    target = made_up.target()
    assert admin_page.post(change(target), posted(target, params='{"model": "other"}')).status_code == 302
    target.refresh_from_db()
    assert target.params == {"model": "other"}
    assert target.get_secrets() == {"api_key": made_up.SECRET}


def test_a_secret_that_is_entered_at_a_target_is_one_of_its_credential(admin_page: Client) -> None:
    target = made_up.target()
    credential = keep(target, {"api_key": "old", "other": "o"})
    fields = {"secret_name": "api_key", "secret_value": "new", "credential": str(credential.pk)}
    assert admin_page.post(change(target), posted(target, **fields)).status_code == 302
    target.refresh_from_db()
    assert target.credential == credential
    assert target.get_secrets() == {"api_key": "new", "other": "o"}


def test_a_mistyped_form_does_not_send_the_secret_back(admin_page: Client) -> None:
    answer = admin_page.post(ADD, FORM | {"url": "not a url", "secret_name": "k", "secret_value": made_up.SECRET})
    assert answer.status_code == 200
    assert made_up.SECRET not in answer.content.decode()
    assert not Target.objects.exists()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"url": "ftp://x"}, "is not a URL of the form http(s)://host[:port]/path"),
        ({"url": "http://me:pw@host/"}, "put it into the target&#x27;s secrets instead"),
        ({"params": "[1]"}, "give a JSON object"),
        ({"params": "{"}, "Enter a valid JSON."),
        ({"overrides": '{"nonsense": 1}'}, "nonsense: is not a known field"),
        ({"secret_name": "api_key"}, "Give both the secret&#x27;s name and its value."),
        ({"secret_name": "two words", "secret_value": "x"}, "must be letters, digits and _"),
    ],
)
def test_mistakes_are_explained(admin_page: Client, fields: dict[str, str], text: str) -> None:
    answer = admin_page.post(ADD, FORM | fields)
    assert answer.status_code == 200
    assert text in answer.content.decode()


def test_secrets_that_cannot_be_opened_are_said_so(admin_page: Client) -> None:
    target = made_up.target()
    Credential.objects.update(sealed_secrets="gone-key:AAAA")
    assert "cannot be decrypted" in admin_page.get(change(target)).content.decode()
    fields = {"secret_name": "api_key", "secret_value": "new", "credential": str(target.credential_id)}
    answer = admin_page.post(change(target), posted(target, **fields))
    assert "or clear them all first" in answer.content.decode()
    assert Credential.objects.get().sealed_secrets == "gone-key:AAAA"
