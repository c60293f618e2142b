"""URLs of the pages."""

from django.urls import path

from accounts.pages import log_in, second_factor, sso

app_name = "accounts"
urlpatterns = [
    path("log-in/code/", log_in.code, name="code"),
    path("log-in/emergency/", sso.emergency_link, name="emergency"),
    path("sso/", sso.start, name="sso"),
    path("sso/back/", sso.back, name="sso-back"),
    path("second-factor/", second_factor.page, name="second-factor"),
]
