"""URLs of the pages."""

from django.urls import path

from accounts.pages import log_in, second_factor

app_name = "accounts"
urlpatterns = [
    path("log-in/code/", log_in.code, name="code"),
    path("second-factor/", second_factor.page, name="second-factor"),
]
