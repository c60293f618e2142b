"""Who is told of a run's end, of what, how often, and what is never told to anybody."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from typing import Any

import pytest
from django.conf import LazySettings

from runs.completion import finalize
from runs.db_clock import DbNow
from runs.models import Run, RunStatus, ScheduleSlot, ShardStatus, SlotStatus, TestPlan, Webhook, WebhookDelivery
from runs.schedules.services import create_schedule
from runs.webhooks import deliver, enqueue, secrets
from runs.webhooks.http_post import post
from runs.webhooks.payload import is_bad, run_facts, slack
from tests.integration.web import made_up
from tests.support.servers.receiver import PATH, receiving

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "sign-with-this-key"


def hook(url: str, **fields: Any) -> Webhook:
    key = fields.pop("key", KEY)
    made = Webhook(name=f"hook {Webhook.objects.count()}", **fields)
    secrets.give_secrets(made, url=url, key=key)
    made.full_clean()
    made.save()
    return made


def ended(status: str = "completed", plan: TestPlan | None = None, **fields: Any) -> Run:
    """A run that `finalize_run` has just ended as `status`; with turns, so that it can complete."""
    run = made_up.run(RunStatus.RUNNING, plan)
    Run.objects.filter(pk=run.pk).update(**{"name": run.name, **fields})
    made_up.fill(run, seconds=2)
    shard_status = {"completed": ShardStatus.DONE, "failed": ShardStatus.FAILED, "aborted": ShardStatus.ABORTED}
    run.shards.update(status=shard_status[status], reason="" if status == "completed" else "it broke")
    assert finalize.finalize_run(run.pk)
    run.refresh_from_db()
    assert run.status == status
    return run


def due_now() -> None:
    WebhookDelivery.objects.update(next_at=DbNow(-1))


@pytest.mark.usefixtures("any_database")
def test_a_receiver_that_fails_twice_gets_it_the_third_time(settings: LazySettings) -> None:
    settings.SITE_URL = "https://burn.example/"
    with receiving(500, 503) as receiver:
        made = hook(receiver.url)
        run = ended()
        delivery = WebhookDelivery.objects.get()
        assert (delivery.webhook, delivery.run, delivery.status) == (made, run, "pending")
        for number, status in enumerate([500, 503]):
            assert deliver.deliver_due() == 0
            delivery.refresh_from_db()
            assert (delivery.status, delivery.attempts, delivery.http_status) == ("pending", number + 1, status)
            assert f"http_{status}" in delivery.error
            assert deliver.deliver_due() == 0, "it is not due yet"
            due_now()
        assert deliver.deliver_due() == 1
        due_now()
        assert deliver.deliver_due() == 0
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.http_status, delivery.error) == ("delivered", 3, 200, "")
    assert len(receiver.got) == 3
    path, headers, body = receiver.got[-1]
    assert path == PATH
    assert {sent for _, _, sent in receiver.got} == {body}, "the same message each time"
    assert headers["x-token-burn-signature"] == "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert (
        (told["event"], told["id"])
        == ("run.ended", str(delivery.uid))
        == ("run.ended", headers["x-token-burn-delivery"])
    )
    assert told["run"]["id"] == run.pk and told["run"]["status"] == "completed"
    assert told["links"]["report"] == f"https://burn.example/runs/{run.pk}/report/"
    assert run.report is not None
    assert told["thresholds"] == run.report["thresholds"] and told["turns"] == run.report["turns"]
    assert told["verdict"]["trusted"] == run.report["verdict"]["trusted"]


def test_one_that_never_takes_it_is_given_up_after_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(*[500] * 20) as receiver:
        hook(receiver.url)
        ended()
        for _ in range(8):
            deliver.deliver_due()
            due_now()
    assert len(receiver.got) == 5
    assert WebhookDelivery.objects.get().status == "failed"
    assert 540 <= sum(deliver.BACKOFF_S) <= 660
    assert "webhook_given_up" in caplog.text


def test_a_worker_killed_while_it_sends_leaves_it_to_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with receiving() as receiver:
        hook(receiver.url)
        ended()
        with monkeypatch.context() as patch:
            patch.setattr(deliver, "_note", die)
            with pytest.raises(Killed):
                deliver.deliver_due()
        assert WebhookDelivery.objects.get().status == "pending"
        due_now()
        assert deliver.deliver_due() == 1
    assert len({json.loads(body)["id"] for _, _, body in receiver.got}) == 1 and len(receiver.got) == 2


def test_a_crash_at_the_end_of_a_run_loses_no_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(run_id: int) -> None:
        raise Killed

    hook("http://127.0.0.1:9/")
    run = made_up.run(RunStatus.RUNNING)
    with monkeypatch.context() as patch:
        patch.setattr(enqueue, "note_end", die)
        with pytest.raises(Killed):
            finalize.finalize_run(run.pk)
    run.refresh_from_db()
    assert run.status == "finalizing", "its end and whom to tell of it are one"
    assert finalize.finalize_run(run.pk)
    assert WebhookDelivery.objects.count() == 1


def test_webhooks_that_cannot_be_noted_do_not_keep_a_run_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueue, "note_end", lambda run_id: 1 / 0)
    assert finalize.finalize_run(made_up.run(RunStatus.RUNNING).pk)


@pytest.mark.usefixtures("any_database")
def test_each_webhook_gets_the_runs_that_it_asked_for() -> None:
    plan, other = made_up.plan(), made_up.plan()
    schedule = create_schedule(name="nightly", plan=plan, when={"every": 1, "period": "days"})
    asked: dict[str, dict[str, Any]] = {
        "all": {},
        "of plan": {"plan": plan},
        "of schedule": {"schedule": schedule},
        "failed": {"when": "failed"},
        "changed": {"when": "changed", "plan": plan},
        "off": {"enabled": False},
    }
    hooks = {name: hook("http://127.0.0.1:9/", **fields) for name, fields in asked.items()}
    names = {made.pk: name for name, made in hooks.items()}

    def told(run: Run) -> set[str]:
        return {names[pk] for pk in run.deliveries.values_list("webhook_id", flat=True)}

    assert told(ended(plan=plan)) == {"all", "of plan"}
    assert told(ended(plan=other)) == {"all"}
    assert told(ended("failed", plan=plan)) == {"all", "of plan", "failed", "changed"}
    assert told(ended("aborted", plan=plan)) == {"all", "of plan", "failed"}
    assert told(ended(plan=plan)) == {"all", "of plan", "changed"}
    assert told(ended(plan=plan, local=True)) == set(), "burn's own run"
    strict = made_up.plan()
    strict.thresholds = ["ttft_ms.p95<0.001"]
    assert told(ended(plan=strict)) == {"all", "failed"}, "it completed, and missed a threshold"
    scheduled = made_up.run(RunStatus.RUNNING, plan)
    ScheduleSlot.objects.create(
        schedule=schedule, slot_at=scheduled.created_at, decided_at=scheduled.created_at, run=scheduled,
        status=SlotStatus.STARTED,
    )  # fmt: skip
    assert finalize.finalize_run(scheduled.pk)
    assert told(scheduled) == {"all", "of plan", "of schedule", "failed", "changed"}


@pytest.mark.parametrize(
    ("status", "thresholds", "reasons", "bad"),
    [
        ("completed", [], [], False),
        ("completed", None, None, False),
        ("completed", [{"passed": True}], ["hang_not_judged: x"], False),
        ("completed", [{"passed": True}], ["stopped_answering: x"], True),
        ("completed", [{"passed": False}], [], True),
        ("aborted", [], [], True),
    ],
)
def test_what_a_webhook_calls_a_failure(status: str, thresholds: Any, reasons: Any, bad: bool) -> None:
    assert is_bad((status, thresholds, reasons)) is bad


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        ({"trusted": False, "reasons": ["few_samples: x"]}, "too few turns for some figures"),
        ({"trusted": False, "reasons": ["few_samples: x", "send_lag: y"]}, "not trusted"),
        ({"trusted": True, "reasons": []}, "trusted"),
        ({"trusted": None, "reasons": []}, "none"),
    ],
)
def test_slack_has_the_report_s_word_for_the_verdict(verdict: dict[str, Any], word: str) -> None:
    run = ended()
    (block,) = slack(run_facts(run) | {"verdict": verdict})["blocks"]
    assert f"; verdict: {word}\n" in block["text"]["text"] + "\n"


def test_slack_gets_a_message_that_says_what_happened(settings: LazySettings) -> None:
    settings.SITE_URL = "https://burn.example"
    with receiving() as receiver:
        hook(receiver.url, kind="slack")
        run = ended("failed", name="A & B <here>")
        assert deliver.deliver_due() == 1
    said = json.loads(receiver.got[0][2])
    assert said["text"] == f":warning: Run {run.pk} of A &amp; B &lt;here&gt;: failed"
    (block,) = said["blocks"]
    assert "it broke" in block["text"]["text"]
    assert f"<https://burn.example/runs/{run.pk}/report/|Report>" in block["text"]["text"]
    assert "16 of 16 turns ok" in block["text"]["text"]


@pytest.mark.parametrize("kind", ["json", "slack"])
def test_a_test_message_is_sent_at_once_and_once(kind: str) -> None:
    with receiving(200, 500) as receiver:
        made = hook(receiver.url, kind=kind, enabled=False)
        assert deliver.send_test(made).status == "delivered"
        failed = deliver.send_test(made)
        assert (failed.status, failed.http_status) == ("failed", 500)
        due_now()
        assert deliver.deliver_due() == 0
    assert len(receiver.got) == 2
    assert b"test" in receiver.got[0][2]


def test_redirects_are_not_followed_and_private_addresses_not_dialled(settings: LazySettings) -> None:
    with receiving(302) as receiver:
        made = hook(receiver.url)
        assert deliver.send_test(made).http_status == 302
        assert len(receiver.got) == 1
        settings.ALLOW_PRIVATE = False
        blocked = deliver.send_test(made)
        assert blocked.status == "failed"
        assert blocked.error.startswith("address_blocked")
        assert len(receiver.got) == 1
        ended()
        deliver.deliver_due()
        assert {(row.status, row.attempts) for row in WebhookDelivery.objects.all()} == {("failed", 1)}, "no retry"


def test_a_receiver_that_does_not_answer_costs_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    short = {"connect": 1, "first_byte": 0.3, "idle": 0.3, "total": 0.5}
    monkeypatch.setitem(secrets.OVERRIDES, "timeouts", short)
    with receiving(delay_s=1.0) as receiver:
        found = post(receiver.url, b"{}", {}, allow_private=True)
    assert found.status == 0
    assert found.error.startswith("first_byte_timeout")


def test_no_part_of_an_address_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """In rows, errors and logs; only the host is."""
    caplog.set_level(logging.DEBUG)
    with receiving(*[500] * 9) as receiver:
        made = hook(receiver.url)
        ended()
        for _ in range(6):
            deliver.deliver_due()
            due_now()
        deliver.send_test(made)
    gone = hook("http://127.0.0.1:1" + PATH)
    deliver.send_test(gone)
    rows = [str(row) for model in (Webhook, WebhookDelivery) for row in model.objects.values()]
    for text in ("secret-part", KEY):
        assert text not in caplog.text
        assert text not in "".join(rows)
    assert made.host == f"127.0.0.1:{receiver.server_port}"
    assert made.get_secrets() == {"url": receiver.url, "key": KEY}


def test_facts_have_the_codes_of_turns_and_of_conversations() -> None:
    run, codes = ended(), {"errors": {"http_500": 2}, "session_errors": {"scenario_invalid": 3}}
    run.report = (run.report or {}) | codes
    assert run_facts(run).items() >= codes.items()
