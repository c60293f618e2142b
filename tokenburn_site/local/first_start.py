"""Initial content of a new site, so that the first run is a click away: administrator, target, plan.

Everything here may be called at each start: it adds what is missing, and changes nothing that people made.
"""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from runs.models import PlanScenario, TestPlan
from scenarios.models import Scenario
from targets.models import Target
from tokenburn_site.local.errors import LocalServiceError

ADMIN = "admin"
MOCK_TARGET = "Mock chatbot"
MOCK_PLAN = "First try"
MOCK_SCENARIO = "rapid-fire"
MOCK_LOAD = {"kind": "closed", "users": 20, "duration_s": 30}


def ensure_admin(password: str | None) -> str | None:
    """Ensure an administrator with this password. Without one, generate a password if there is no administrator yet,
    and return it; it cannot be recovered later. Raises LocalServiceError for a password that the rules refuse."""
    users = get_user_model()._default_manager
    if password is None and users.filter(is_superuser=True, is_active=True).exists():
        return None
    made_up = None if password is not None else secrets.token_urlsafe(12)
    if password is not None:
        _check(password)
    user, _ = users.get_or_create(username=ADMIN, defaults={"is_staff": True, "is_superuser": True})
    user.set_password(password or made_up)
    user.is_staff = user.is_superuser = user.is_active = True
    user.save()
    return made_up


def _check(password: str) -> None:
    try:
        validate_password(password, get_user_model()(username=ADMIN))
    except ValidationError as exc:
        raise LocalServiceError(
            "bad_password", f"the password of {ADMIN} is refused: {' '.join(exc.messages)}"
        ) from exc


def offer_mock(url: str) -> None:
    """Create the mock chatbot at `url` as a target, with a plan. A renamed or deleted plan is not created again."""
    target, is_new = Target.objects.get_or_create(
        name=MOCK_TARGET, defaults={"preset": "openai-chat", "url": url, "stream": True}
    )
    if not is_new:
        # The port may have changed. An address elsewhere was set by a user and stays.
        Target.objects.filter(pk=target.pk, url__startswith="http://127.0.0.1:").update(url=url)
        return
    scenario = Scenario.objects.filter(name=MOCK_SCENARIO).first()
    if scenario is None or TestPlan.objects.filter(name=MOCK_PLAN).exists():
        return
    plan = TestPlan.objects.create(name=MOCK_PLAN, target=target, load=MOCK_LOAD)
    PlanScenario.objects.create(plan=plan, scenario=scenario)
