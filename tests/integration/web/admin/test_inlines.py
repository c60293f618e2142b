"""Rows on the page of another row: no request makes the site build a thousand forms."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client, RequestFactory

importlib.import_module("tokenburn_site.urls")  # finds all pages of the admin
pytestmark = pytest.mark.django_db
MOST = 200
MANY = "9" * 30


def forms_shown(answer: Any) -> int:
    return sum(len(one.formset.forms) for one in answer.context["inline_admin_formsets"])


def test_a_group_has_one_set_of_rules_however_many_are_claimed(admin_page: Client) -> None:
    sent = {"name": "crew", "rule-TOTAL_FORMS": MANY, "rule-INITIAL_FORMS": "0"}
    answer = admin_page.post("/admin/auth/group/add/", sent)
    assert (answer.status_code, forms_shown(answer)) == (200, 1)
    assert not Group.objects.exists()


def test_a_user_has_one_identity_however_many_are_claimed(admin_page: Client, boss: User) -> None:
    sent = {"username": "other", "sso_identity-TOTAL_FORMS": MANY, "sso_identity-INITIAL_FORMS": "0"}
    answer = admin_page.post(f"/admin/auth/user/{boss.pk}/change/", sent)
    assert (answer.status_code, forms_shown(answer)) == (200, 1)
    boss.refresh_from_db()
    assert boss.username != "other"


def test_every_inline_that_can_be_changed_is_bounded(boss: User) -> None:
    request = RequestFactory().get("/admin/")
    request.user = boss
    bounds = {}
    for page in admin.site._registry.values():
        for inline in page.inlines:
            one: Any = inline(page.model, admin.site)
            if one.has_add_permission(request, None) or one.has_change_permission(request):
                bounds[inline.__name__] = one.get_formset(request).absolute_max
    assert len(bounds) >= 3
    assert {name: most for name, most in bounds.items() if most > MOST} == {}
