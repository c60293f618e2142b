"""`python -m tests.e2e.red_team.rows HONEST MOCK`: users, a credential and plans of a fresh site, before the attack.

Prints the ids as JSON. Its database is that of the environment.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django

PASSWORD = "battery-Staple-9-horse"
RIGHTS = {
    "mallory": ["view_target", "add_target", "change_target"],
    "friend": ["view_target", "change_target"],
    "looker": ["view_periodictask", "view_intervalschedule"],
}
ADMINS = ("owner", "other")


def main(honest: str, mock: str) -> dict[str, int]:
    from django.contrib.auth.models import Permission, User

    from runs.models import PlanScenario, TestPlan
    from scenarios.models import Scenario
    from targets.models import Credential, Target
    from tests.support.attacks.planted import SECRETS

    for name in (*ADMINS, *RIGHTS):
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True, is_superuser=name in ADMINS)
        user.user_permissions.set(Permission.objects.filter(codename__in=RIGHTS.get(name, [])))
    vault = Credential(name="vault", origins=[honest], owner=User.objects.get(username="owner"))
    vault.set_secrets({"api_key": SECRETS["header"]})
    vault.save()
    vault.users.add(User.objects.get(username="friend"))
    overrides: dict[str, Any] = {"request": {"headers": {"x-api-key": "{{ secret.api_key }}"}}}
    target = Target(name="bank", preset="generic-json", url=honest, overrides=overrides, credential=vault)
    target.full_clean()
    target.save()
    bot = Target.objects.create(name="bot", preset="openai-chat", url=f"{mock}/v1", params={"model": "mock"})
    said = Scenario.objects.create(name="hello", spec={"name": "hello", "steps": [{"do": "say", "text": "Hello"}]})
    loads = {
        "plan": (bot, {"kind": "closed", "users": 2, "conversations": 6}),
        "secret_plan": (target, {"kind": "closed", "users": 1, "conversations": 2}),
        "long_plan": (bot, {"kind": "closed", "users": 1, "duration_s": 600}),
    }
    ids = {"bank": target.pk, "vault": vault.pk}
    for name, (of, load) in loads.items():
        plan = TestPlan.objects.create(name=name, target=of, load=load)
        PlanScenario.objects.create(plan=plan, scenario=said)
        ids[name] = plan.pk
    return ids


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenburn_site.settings")
    django.setup()
    print(json.dumps(main(*sys.argv[1:])))
