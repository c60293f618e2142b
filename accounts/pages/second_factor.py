"""The page on which users set up their second factor, and switch it off."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import second_factor, sessions
from accounts.counting import proved
from accounts.models import SecondFactor
from accounts.pages.forms import AgainForm, CodeForm
from accounts.pages.log_in import WRONG
from audit.services import record

PAGE: Final = "accounts:second-factor"


@sensitive_post_parameters("code", "password")
@require_http_methods(["GET", "POST"])
@login_required
def page(request: HttpRequest) -> HttpResponse:
    factor = second_factor.of(request.user)
    if request.method == "POST":
        deed = request.POST.get("do", "")
        deeds: Any = DEEDS_WITH if factor else DEEDS_WITHOUT
        if deed in deeds:
            answer: HttpResponse = deeds[deed](request, factor)
            return answer
    if factor is None:
        return _show(request)
    left = factor.recovery_codes.filter(used_at=None).count()
    return _show(request, factor=factor, left=left, again=AgainForm(request.user))


def _begin(request: HttpRequest, _factor: Any) -> HttpResponse:
    return _show_key(request, CodeForm())


def _confirm(request: HttpRequest, _factor: Any) -> HttpResponse:
    form, user = CodeForm(request.POST), request.user
    factor = second_factor.begin(user)
    codes = None
    if form.is_valid():
        try:
            codes = second_factor.confirm(factor, form.cleaned_data["code"])
            if codes is None:
                form.add_error("code", WRONG)
        except second_factor.CodeRefused as exc:
            form.add_error("code", str(exc))
    if codes is None:
        return _show_key(request, form)
    sessions.end_others(request, user)  # they have shown none
    sessions.show_factor(request, factor)
    record("second_factor.add", request=request, on=factor)
    return _show(request, factor=factor, codes=codes)


def _renew(request: HttpRequest, factor: SecondFactor) -> HttpResponse:
    if not _proved(request, factor):
        return redirect(PAGE)
    record("second_factor.recovery_codes", request=request, on=factor)
    return _show(request, factor=factor, codes=second_factor.new_recovery_codes(factor))


def _remove(request: HttpRequest, factor: SecondFactor) -> HttpResponse:
    if second_factor.required(request.user):
        messages.error(request, "Your second factor is required: only an administrator can reset it.")
    elif _proved(request, factor):
        record("second_factor.remove", request=request, on=factor)
        second_factor.remove(request.user)
        messages.success(request, "The second factor is switched off.")
    return redirect(PAGE)


def _end_others(request: HttpRequest, _factor: Any) -> HttpResponse:
    sessions.end_others(request, request.user)
    messages.success(request, "All your other log-ins have ended.")
    return redirect(PAGE)


def _proved(request: HttpRequest, factor: SecondFactor) -> bool:
    """Whether whoever sits there is the user. Wrong passwords and codes are counted."""
    user: Any = request.user
    form = AgainForm(user, request.POST)

    def look() -> bool:
        right = form.is_valid()
        if right and "code" in form.fields:
            right = second_factor.check_either(factor, form.cleaned_data["code"])
        return right

    try:
        right = proved(request, user.get_username(), look)
    except second_factor.CodeRefused as exc:
        messages.error(request, str(exc))
        return False
    if not right:
        messages.error(request, "Nothing was changed: the password or code is wrong.")
    return right


def _show_key(request: HttpRequest, form: CodeForm) -> HttpResponse:
    factor = second_factor.begin(request.user)
    if factor.confirmed_at is not None:  # in another window, a moment ago
        return redirect(PAGE)
    key = second_factor.key_of(factor)
    parts = [key[at : at + 4] for at in range(0, len(key), 4)]
    return _show(request, picture=second_factor.picture(factor), key=" ".join(parts), form=form)


def _show(request: HttpRequest, **more: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": "Second factor", **more}
    required = second_factor.required(request.user)
    return TemplateResponse(request, "accounts/second_factor.html", {**context, "required": required})


DEEDS_WITHOUT: Final = {"begin": _begin, "confirm": _confirm, "end_others": _end_others}
DEEDS_WITH: Final = {"renew": _renew, "remove": _remove, "end_others": _end_others}
