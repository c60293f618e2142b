"""Credentials over the API and in the admin: made, edited, shared, deleted, and never read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from audit.models import AuditEvent
from runs.models import RunStatus
from runs.services import request_run, stop_run
from targets.credentials.services import checked_origins
from targets.models import Credential, Target
from tests.integration.web import made_up
from tests.integration.web.made_up import api_of, page_of
from tests.support.credentials import keep

pytestmark = pytest.mark.django_db
ORIGIN = "https://api.example.org:443"
GIVEN: dict[str, Any] = {"name": "bank", "origins": ["https://API.example.org"], "secrets": {"api_key": made_up.SECRET}}
LIST = "/api/credentials/"
ADD = "/admin/targets/credential/add/"


@pytest.fixture
def ann(db: None) -> User:
    return made_up.user("targets.add_target", "targets.change_target")


@pytest.fixture
def bank(ann: User) -> Credential:
    credential = Credential(name="bank", owner=ann, origins=[ORIGIN])
    credential.set_secrets({"api_key": made_up.SECRET})
    credential.save()
    return credential


def address(credential: Credential) -> str:
    return f"{LIST}{credential.pk}/"


def test_who_makes_one_owns_it_and_nobody_reads_it(ann: User) -> None:
    made = api_of(ann).post(LIST, GIVEN)
    assert made.status_code == 201
    shown = made.json()
    assert (shown["owner"], shown["origins"], shown["secret_names"]) == (ann.pk, [ORIGIN], ["api_key"])
    credential = Credential.objects.get()
    assert credential.get_secrets() == {"api_key": made_up.SECRET}
    boss = made_up.user(superuser=True)
    change = f"/admin/targets/credential/{credential.pk}/change/"
    for answer in (made, api_of(boss).get(LIST), api_of(boss).get(address(credential)), page_of(boss).get(change)):
        for hidden in (made_up.SECRET, credential.sealed_secrets):
            assert hidden not in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        ({"origins": []}, "origins", "name at least one origin"),
        ({"origins": ["https://x.example/path"]}, "origins", "more than an origin"),
        ({"origins": ["https://me:pw@x.example"]}, "origins", "more than an origin"),
        ({"origins": ["x.example"]}, "origins", "has no scheme"),
        ({"origins": ["ftp://x.example"]}, "origins", "has no origin"),
        ({"origins": [f"https://x{n}.example" for n in range(51)]}, "origins", "at most 50"),
        ({"secrets": {"two words": "x"}}, "secrets", "must be letters, digits and _"),
        ({"secrets": {"k": made_up.SECRET * 1000}}, "secrets", "must have 1 to 10000 characters"),
        ({"owner_id": 1}, "owner_id", "not a known field"),
        ({"name": ""}, "name", "may not be blank"),
    ],
)
def test_mistakes_are_explained_at_their_field(fields: dict[str, Any], where: str, text: str, ann: User) -> None:
    answer = api_of(ann).post(LIST, GIVEN | fields)
    assert answer.status_code == 400
    assert text in answer.json()[where][0]
    assert made_up.SECRET not in answer.content.decode()
    assert not Credential.objects.exists()


def test_what_cannot_be_changed_is_refused_and_nothing_is_sealed_anew(bank: Credential, ann: User) -> None:
    api, before = api_of(ann), bank.sealed_secrets
    other = made_up.user()
    for field, value in (("owner", other.pk), ("owner", None), ("id", bank.pk + 1)):
        refused = api.patch(address(bank), {field: value, "name": "mine"})
        assert (refused.status_code, list(refused.json())) == (400, [field])
    assert "read-only" in api.put(address(bank), GIVEN | {"owner": other.pk}).json()["owner"][0]
    read: dict[str, Any] = api.get(address(bank)).json()
    same: list[dict[str, Any]] = [read, {"owner": ann.pk}, {"secrets": {}}]
    assert [api.patch(address(bank), sent).status_code for sent in same] == [200] * 3
    Credential.objects.update(owner=None, last_used_at=datetime(2026, 11, 30, tzinfo=UTC))
    boss = api_of(made_up.user(superuser=True))
    assert boss.patch(address(bank), read | {"owner": None}).status_code == 200
    assert boss.patch(address(bank), read).json()["owner"] == ["is read-only: leave it out, or send it as it is"]
    bank.refresh_from_db()
    assert (bank.name, bank.sealed_secrets) == ("bank", before)


def test_who_was_given_nothing_sees_nothing(bank: Credential) -> None:
    mal = made_up.user("targets.change_target", "targets.view_target")
    api = api_of(mal)
    assert api.get(LIST).json()["results"] == []
    for method in (api.get, api.patch, api.put, api.delete):
        assert method(address(bank)).status_code == 404
    page = page_of(mal).get("/admin/targets/credential/")
    assert page.status_code == 200 and "bank" not in page.content.decode()
    assert Credential.objects.filter(name="bank").exists()


def test_a_user_of_it_edits_and_deletes_nothing(bank: Credential) -> None:
    bob = made_up.user("targets.change_target", "targets.view_target")
    bank.users.add(bob)
    api, page = api_of(bob), page_of(bob)
    assert api.get(address(bank)).json()["secret_names"] == ["api_key"]
    for answer in (
        api.patch(address(bank), {"origins": ["https://evil.example"]}),
        api.patch(address(bank), {"secrets": {"api_key": "mine"}}),
        api.patch(address(bank), {"name": "mine"}),
        api.delete(address(bank)),
    ):
        assert answer.status_code == 403
        assert "credential 'bank'" in answer.json()["detail"]
    change = f"/admin/targets/credential/{bank.pk}/"
    assert page.post(f"{change}change/", {"name": "mine", "origins": "https://evil.example"}).status_code == 403
    assert page.post(f"{change}delete/", {"post": "yes"}).status_code == 403
    by_action = {"action": "delete_selected", "_selected_action": [bank.pk], "post": "yes"}
    page.post("/admin/targets/credential/", by_action)
    bank.refresh_from_db()
    assert (bank.name, bank.origins, bank.get_secrets()) == ("bank", [ORIGIN], {"api_key": made_up.SECRET})


def test_an_editor_who_may_not_use_it_gives_the_use_to_nobody(bank: Credential) -> None:
    eve = made_up.user("targets.change_credential", "targets.view_credential")
    api = api_of(eve)
    assert api.patch(address(bank), {"origins": [ORIGIN, "https://new.example"]}).status_code == 200
    refused = api.patch(address(bank), {"users": [eve.pk]})
    assert (refused.status_code, list(refused.json())) == (400, ["users"])
    form: dict[str, Any] = {"name": "bank", "origins": ORIGIN, "users": [eve.pk], "owner": eve.pk}
    assert page_of(eve).post(f"/admin/targets/credential/{bank.pk}/change/", form).status_code == 302
    bank.refresh_from_db()
    assert not bank.users.exists()
    assert bank.owner != eve


def test_the_owner_shares_it(bank: Credential, ann: User) -> None:
    bob = made_up.user()
    assert api_of(ann).patch(address(bank), {"users": [bob.pk]}).json()["users"] == [bob.pk]


def test_a_form_makes_one_and_changes_its_secrets(ann: User) -> None:
    page = page_of(ann)
    form: dict[str, Any] = {
        "name": "bank",
        "origins": "https://a.example\nhttps://b.example",
        "secret_name": "k",
        "secret_value": "v",
    }
    assert page.post(ADD, form).status_code == 302
    credential = Credential.objects.get()
    assert (credential.owner, credential.get_secrets()) == (ann, {"k": "v"})
    assert credential.origins == ["https://a.example:443", "https://b.example:443"]
    change = f"/admin/targets/credential/{credential.pk}/change/"
    form |= {"secret_name": "new", "secret_value": "n", "clear_secrets": ["k"]}
    assert page.post(change, form).status_code == 302
    credential.refresh_from_db()
    assert credential.get_secrets() == {"new": "n"}
    wrong = page.post(change, form | {"origins": "nonsense", "secret_value": made_up.SECRET})
    assert "has no scheme" in wrong.content.decode()
    assert made_up.SECRET not in wrong.content.decode()


def test_secrets_that_cannot_be_decrypted_are_cleared_as_a_whole(bank: Credential, ann: User) -> None:
    Credential.objects.update(sealed_secrets="gone-key:AAAA")
    change, page = f"/admin/targets/credential/{bank.pk}/change/", page_of(ann)
    assert "cannot be decrypted" in page.get(change).content.decode()
    renamed = api_of(ann).patch(address(bank), {"name": "bank", "origins": [ORIGIN]})
    assert (renamed.status_code, renamed.json()["secret_names"]) == (200, None)
    assert "or clear them all first" in str(api_of(ann).patch(address(bank), {"secrets": {"k": "v"}}).json()["secrets"])
    form: dict[str, Any] = {"name": "bank", "origins": ORIGIN, "secret_name": "api_key", "secret_value": "new"}
    assert "or clear them all first" in page.post(change, form).content.decode()
    assert page.post(change, form | {"clear_secrets": ["*"]}).status_code == 302
    bank.refresh_from_db()
    assert bank.get_secrets() == {"api_key": "new"}


@pytest.mark.parametrize("door", ["api", "page"])
def test_an_edit_keeps_what_others_change_meanwhile(
    door: str, bank: Credential, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others(given: Any) -> list[str]:
        rotated = Credential.objects.get()
        rotated.set_secrets({"api_key": "rotated"})
        Credential.objects.update(sealed_secrets=rotated.sealed_secrets, last_used_at=datetime.now(UTC))
        return checked_origins(given)

    for module in ("api", "forms"):
        monkeypatch.setattr(f"targets.credentials.{module}.checked_origins", others)
    if door == "api":
        assert api_of(ann).patch(address(bank), {"name": "new", "origins": [ORIGIN]}).status_code == 200
    else:
        form = {"name": "new", "origins": ORIGIN, "secret_name": "", "secret_value": ""}
        assert page_of(ann).post(f"/admin/targets/credential/{bank.pk}/change/", form).status_code == 302
    bank.refresh_from_db()
    assert (bank.name, bank.origins, bank.get_secrets()) == ("new", [ORIGIN], {"api_key": "rotated"})
    assert bank.last_used_at is not None


def test_one_that_is_needed_cannot_be_deleted(bank: Credential, ann: User) -> None:
    target = Target(name="the bank", url="https://api.example.org/v1")
    target.credential = bank
    target.save()
    run = request_run(made_up.plan(target), ann, local=True)
    refused = api_of(ann).delete(address(bank))
    assert refused.status_code == 409
    assert "the bank" in refused.json()["detail"] and f"Run {run.pk}" in refused.json()["detail"]
    page = page_of(ann)
    page.post(f"/admin/targets/credential/{bank.pk}/delete/", {"post": "yes"})
    by_action = {"action": "delete_selected", "_selected_action": [bank.pk], "post": "yes"}
    assert "the bank" in page.post("/admin/targets/credential/", by_action).content.decode()
    assert Credential.objects.exists()

    Target.objects.update(credential=None)
    assert api_of(ann).delete(address(bank)).status_code == 409
    stop_run(run)
    run.refresh_from_db()
    assert (run.status, run.credential, run.secret_origins, run.sealed_secrets) == (RunStatus.STOPPED, None, None, "")
    assert api_of(ann).delete(address(bank)).status_code == 204


def test_it_says_when_it_was_last_used(bank: Credential, ann: User) -> None:
    target = Target.objects.create(name="t", url="https://api.example.org/v1", credential=bank)
    assert api_of(ann).get(address(bank)).json()["last_used_at"] is None
    request_run(made_up.plan(target), ann, local=True)
    assert api_of(ann).get(address(bank)).json()["last_used_at"] is not None


def test_entered_secrets_of_a_new_target_go_where_it_leads(ann: User) -> None:
    body = {"name": "t", "preset": "openai-chat", "url": "https://api.example.org/v1", "secrets": {"api_key": "k"}}
    made = api_of(ann).post("/api/targets/", body)
    credential = Credential.objects.get()
    assert (made.json()["credential"], credential.origins, credential.owner) == (credential.pk, [ORIGIN], ann)
    again = api_of(ann).patch(f"/api/targets/{made.json()['id']}/", {"url": "http://b.example", "secrets": {"x": "y"}})
    assert again.status_code == 200
    credential.refresh_from_db()
    assert credential.origins == [ORIGIN, "http://b.example:80"]
    assert credential.get_secrets() == {"api_key": "k", "x": "y"}
    events = AuditEvent.objects.filter(action__startswith="credential.").order_by("pk")
    assert [(event.action, event.user_name) for event in events] == [
        ("credential.create", str(ann)),
        ("credential.edit", str(ann)),
    ]


def test_entered_secrets_do_not_lead_to_any_number_of_origins(ann: User, bank: Credential) -> None:
    many = [f"https://x{number}.example:443" for number in range(50)]
    Credential.objects.update(origins=many)
    target = Target.objects.create(name="t", url="https://x0.example/v1", credential=bank)
    body = {"url": "https://y.example", "secrets": {"k": "v"}}
    answer = api_of(ann).patch(f"/api/targets/{target.pk}/", body)
    assert "'bank' would have 51 origins" in answer.json()["secrets"][0]
    bank.refresh_from_db()
    assert (bank.origins, bank.get_secrets()) == (many, {"api_key": made_up.SECRET})


def test_a_target_that_is_refused_leaves_no_credential(ann: User) -> None:
    body = {"name": "t", "preset": "openai-chat", "url": "https://api.example.org/v1", "secrets": {"api_key": "k"}}
    keep(Target(name="t", url="http://127.0.0.1:9"), {})
    assert api_of(ann).post("/api/targets/", body).status_code == 400
    assert Credential.objects.count() == 1


def test_its_page_says_when_it_was_used(ann: User, bank: Credential) -> None:
    address = f"/admin/targets/credential/{bank.pk}/change/"
    assert "never" in page_of(ann).get(address).content.decode()
    Credential.objects.update(last_used_at=datetime(2026, 11, 30, 11, 40, 24, 614362, UTC))
    text = page_of(ann).get(address).content.decode()
    assert "2026-11-30 11:40:24 UTC" in text
    assert "614362" not in text
