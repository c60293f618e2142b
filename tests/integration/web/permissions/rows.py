"""A row for each address that names one, and for each change a body that the site accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axes.models import AccessFailureLog, AccessLog
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule

from accounts.second_factor import begin
from accounts.tokens import make
from audit.services import record
from metrics.models import SessionMetric
from policy.models import InstallationLimits, OwnedHost, Panic, Policy, ProofToken
from runs import db_clock, panic
from runs.models import Approval, Run, RunStatus, ScheduleSlot, Session, SlotStatus, Webhook
from runs.schedules.services import create_schedule
from runs.webhooks.secrets import give_secrets
from targets.credentials.models import Credential
from tests.integration.web import made_up

ORIGIN = "https://api.example.org:443"
NEW = "new one"
PROOF = "proof"
"""What the listener publishes."""
LINES = '{"text": "hello"}\n'
CRON = {"crontab": "30 2 * * 1-5", "time_zone": "Europe/Berlin"}


class Rows:
    """One row of each model, and the runs and plans that some addresses need instead."""

    def __init__(self, listener: str, boss: User) -> None:
        """`listener` is the URL of a server, to which all traffic goes."""
        self.listener = listener
        self.target = made_up.target(url=f"{listener}/v1")
        assert self.target.credential is not None
        self.target.credential.groups.add(Group.objects.get(name="operator"))
        self.scenario = made_up.scenario()
        self.plan = made_up.plan(self.target)
        self.free_plan = made_up.plan(self.target)
        self.ended = made_up.run(RunStatus.COMPLETED, self.plan)
        made_up.fill(self.ended, seconds=2)
        made_up.finish(self.ended)
        self.running = made_up.run(RunStatus.RUNNING, self.plan, start_at=db_clock.now())
        ProofToken.objects.create(token=PROOF)
        self.waiting = made_up.run(RunStatus.WAITING, self.plan)
        Approval.objects.create(run=self.waiting, why="4 users", asked_at=db_clock.now())
        self.schedule = create_schedule(name="nightly", plan=self.plan, when=CRON, user=boss)
        self.person = made_up.user()
        begin(self.person)
        self.by_model = {row._meta.label_lower: row for row in [*self._ours(), *self._libraries()]}

    def _ours(self) -> list[Model]:
        webhook = Webhook(name="hook")
        give_secrets(webhook, url=f"{self.listener}/hook", key=None)
        webhook.save()
        slot = ScheduleSlot.objects.create(
            schedule=self.schedule, slot_at=timezone.now(), status=SlotStatus.STARTED, run=self.ended,
            decided_at=timezone.now(),
        )  # fmt: skip
        session = Session.objects.filter(run=self.ended).first()
        turn = SessionMetric.objects.filter(run=self.ended).first()
        assert session is not None and turn is not None
        rows: list[Model] = [self.target, self.scenario, self.plan, self.ended, session, turn, self.schedule, slot]
        return [*rows, webhook]

    def _libraries(self) -> list[Model]:
        log = {"username": "ann", "ip_address": "192.0.2.1", "path_info": "/admin/login/"}
        task: Any = self.schedule.task
        return [
            self.person,
            make(self.person, "program", ["read"]),
            Credential.objects.create(name="somebody's", owner=self.person, origins=[ORIGIN]),
            Policy.objects.create(targets="127.0.0.1:*"),
            OwnedHost.objects.create(host="bot.example"),
            InstallationLimits.objects.create(users=1_000_000),
            record("login"),
            Panic.objects.create(is_on=False, began_by_name="ann"),
            Group.objects.create(name="testers"),
            task,
            CrontabSchedule.objects.get(pk=task.crontab_id),
            IntervalSchedule.objects.create(every=15, period="minutes"),
            ClockedSchedule.objects.create(clocked_time=timezone.now()),
            AccessFailureLog.objects.create(**log),
            AccessLog.objects.create(**log),
        ]

    def references(self) -> dict[str, Model]:
        """By the names that bodies of the API have for them."""
        rows: list[Any] = [self.target, self.scenario, self.free_plan, self.schedule, self.target.credential]
        names = ("target", "scenario", "plan", "schedule", "credential")
        group = self.by_model["auth.group"]
        people = {"users": self.person, "groups": group, "group": group}
        return dict(zip(names, rows, strict=True)) | people

    def of(self, model: str) -> Model:
        """The row of a model, such as "targets.target"."""
        assert model in self.by_model, f"make a row of {model} in Rows (tests/integration/web/permissions/rows.py)"
        return self.by_model[model]


OTHER_ROWS: dict[str, Callable[[Rows], Model]] = {
    "/runs/ID/stop/": lambda rows: rows.running,
    "/runs/ID/approve/": lambda rows: rows.waiting,
    "/runs/ID/refuse/": lambda rows: rows.waiting,
    "/api/runs/ID/approve/": lambda rows: rows.waiting,
    "/api/runs/ID/refuse/": lambda rows: rows.waiting,
    "approve_runs": lambda rows: rows.waiting,
    "refuse_runs": lambda rows: rows.waiting,
    "/runs/ID/load/": lambda rows: rows.running,
    "/api/runs/ID/stop/": lambda rows: rows.running,
    "/api/runs/ID/load/": lambda rows: rows.running,
    "stop_runs": lambda rows: rows.running,
    "DELETE /api/plans/ID/": lambda rows: rows.free_plan,
    "DELETE /api/targets/ID/": lambda rows: made_up.target(),
    "/admin/runs/testplan/ID/delete/": lambda rows: rows.free_plan,
    "/admin/targets/target/ID/delete/": lambda rows: made_up.target(),
    "delete_selected /admin/runs/testplan/": lambda rows: rows.free_plan,
    "delete_selected /admin/targets/target/": lambda rows: made_up.target(),
}
"""Where not every row will do: a run that ended cannot be stopped, a plan with a schedule cannot be deleted."""


def _start_again(rows: Rows) -> None:
    Run.objects.filter(pk=rows.running.pk).update(start_at=db_clock.now())


def _panic(_: Rows) -> None:
    panic.begin(by="somebody")


BEFORE: dict[str, Callable[[Rows], None]] = {
    "/runs/ID/load/": _start_again,
    "/api/runs/ID/load/": _start_again,
    "/runs/panic/undo/": _panic,
    "DELETE /api/panic/": _panic,
}
"""What has to happen first, by address or by method and address: the load of a run can be changed until it ends."""
PAGES_OF = {
    "/runs/plans/": "runs.testplan",
    "/runs/schedules/": "runs.planschedule",
    "/runs/webhooks/": "runs.webhook",
    "/runs/": "runs.run",
}
WORDS: dict[str, Callable[[Rows], str]] = {
    "APP_LABEL": lambda rows: "targets",
    "URL": lambda rows: "nothing-here",
    "CONTENT_TYPE_ID": lambda rows: str(_content_type(rows.target)),
}
QUERIES = {
    "/admin/autocomplete/": "?app_label=runs&model_name=testplan&field_name=target",
    "/admin/search/": "?s=target",
}
"""What an address is asked, where it does nothing without."""
PASSWORDS = {"password1": "a longer password 1", "password2": "a longer password 1"}
BODIES: dict[str, Callable[[Rows], dict[str, Any]]] = {
    "/admin/password_change/": lambda rows: {
        "old_password": made_up.PASSWORD,
        "new_password1": "a longer password 1",
        "new_password2": "a longer password 1",
    },
    "/admin/accounts/apitoken/add/": lambda rows: {"name": NEW, "scopes": ["read"], "days": "30"},
    "/admin/targets/credential/add/": lambda rows: {"name": NEW, "origins": ORIGIN},
    "/api/credentials/": lambda rows: {"name": NEW, "origins": [ORIGIN], "secrets": {"api_key": "sk-1"}},
    "/account/second-factor/": lambda rows: {"do": "begin"},
    "/admin/policy/policy/add/": lambda rows: {"group": str(Group.objects.create(name="limited").pk)},
    "/api/policies/": lambda rows: {"group": Group.objects.create(name="limited").pk},
    "/admin/policy/ownedhost/add/": lambda rows: {"url": rows.listener},
    "/api/proved-hosts/": lambda rows: {"url": rows.listener},
    "/api/installation-limits/": lambda rows: {"users": 5},
    "/api/tokens/": lambda rows: {"name": NEW},
    "/admin/auth/user/ID/password/": lambda rows: {**PASSWORDS, "usable_password": "true"},
    "/admin/auth/user/add/": lambda rows: {"username": NEW.replace(" ", "_"), **PASSWORDS, "usable_password": "true"},
    "/admin/runs/webhook/add/": lambda rows: {"url": f"{rows.listener}/hook"},
    "/admin/targets/target/ID/test-message/": lambda rows: {"message": "Hello", "lane": "reference"},
    "/admin/scenarios/scenario/import/": lambda rows: {"file": SimpleUploadedFile("chat.jsonl", LINES.encode())},
    "/runs/ID/load/": lambda rows: {"level": "9"},
    "/api/targets/ID/probe/": lambda rows: {"message": "Hello"},
    "/api/targets/learn/": lambda rows: {"texts": ["curl http://127.0.0.1/ask -d message=Hello"]},
    "/api/scenarios/import/": lambda rows: {"text": LINES, "filename": "chat.jsonl", "name": NEW},
    "/api/runs/": lambda rows: {"plan": rows.free_plan.pk},
    "/api/runs/ID/load/": lambda rows: {"users": 9},
    "/api/webhooks/": lambda rows: {"name": NEW, "url": f"{rows.listener}/hook"},
}
"""What is sent where it is not, or not only, what the form or the row itself says (see site.py)."""


def _content_type(row: Model) -> int:
    return int(ContentType.objects.get_for_model(row).pk)
