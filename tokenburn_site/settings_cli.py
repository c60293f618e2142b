"""Settings for `manage.py burn` without the web, which saves half a second at start.

Same database, same models. What is left out: the admin and its theme, the API, the socket server.
"""

from tokenburn_site.settings import *  # noqa: F403  every other setting is the same
from tokenburn_site.settings import INSTALLED_APPS as ALL_APPS

OURS = {
    "django_celery_beat",
    "audit",
    "policy",
    "targets",
    "scenarios",
    "metrics",
    "runs",
    "tokenburn_site",
}  # schedules are beat's rows
INSTALLED_APPS = [
    "django.contrib.auth",  # a run names the user who asked for it
    "django.contrib.contenttypes",
    *(app for app in ALL_APPS if app in OURS),
]
