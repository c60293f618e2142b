"""No page and no answer of the API holds a secret, in clear or sealed."""

from __future__ import annotations

import pytest
from django.test import Client

from runs.models import RunStatus
from tests.integration.web import made_up
from tests.integration.web.pages.test_walk import EVERY


@pytest.mark.django_db
@pytest.mark.usefixtures("valkey")
def test_every_page_keeps_the_secrets(admin_page: Client) -> None:
    run = made_up.run(RunStatus.RUNNING, made_up.plan(made_up.target()))
    made_up.fill(run, seconds=2)
    made_up.finish(run)
    key = made_up.token(made_up.user())
    plan = run.plan
    assert plan is not None
    credential = plan.target.credential
    assert credential is not None
    hidden = {made_up.SECRET, credential.sealed_secrets, run.sealed_secrets, key}
    numbers = {
        "credential": credential.pk,
        "credentials": credential.pk,
        "targets": plan.target_id,
        "testplan": plan.pk,
        "plans": plan.pk,
        "scenario": plan.mix.get().scenario_id,
        "session": run.sessions.earliest("id").pk,
        "sessionmetric": run.turns.earliest("id").pk,
    }
    shown = 0
    for address in EVERY:
        known = [pk for part, pk in numbers.items() if f"/{part}/" in address]
        for concrete in {address.replace("/1/", f"/{number}/") for number in known[:1] or (run.pk, 1)}:
            if "logout" in concrete:
                continue
            answer = admin_page.get(concrete)
            if getattr(answer, "url", "/admin/") != "/admin/":  # where the admin sends for a row that is not there
                answer = admin_page.get(concrete, follow=True)
            content = answer.getvalue()
            shown += answer.status_code == 200
            for secret in hidden:
                assert secret.encode() not in content, concrete
    assert shown > 100
