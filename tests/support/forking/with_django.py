"""Imports what Django programs import, which takes half of their CPU, and leaves Django as if it were not set up.

Models can only be imported with settings. So they are imported with those of an empty environment, and then whatever
depends on them is removed: the settings, the registry of applications (of which none was told that it is ready),
connections, and cached results. A child reads its own settings and sets Django up as usual.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from tempfile import TemporaryDirectory

BURN = "tokenburn_site.settings_cli"
SITE = "tokenburn_site.settings"
PROGRAMS = {
    BURN: ("tokenburn_site.management.commands.burn", "tokenburn_site.cli.burn.main"),
    SITE: ("runs.worker_hooks", "tokenburn_site.cli.probe.main"),  # not runs.tasks: it makes memory that children share
}
"""By settings: what their programs import beside the models."""
BOTH = (
    *("runs.supervisor.supervisor", "connectors.wire.http_connectors", "scenarios.services", "audit.rows"),
    *("audit.sign_in", "audit.triggers", "django_celery_beat.signals"),
)
OF_SETTINGS = (BURN, SITE, "tokenburn_site.config.celeryconf", "axes.conf")
"""Modules that are settings, take values from them or put some into them when they are imported."""
CACHING = frozenset({"django", "rest_framework", "runs", "targets", "policy", "accounts", "audit", "tokenburn_site"})
"""Packages with cached results of functions that may have read settings."""
_Cached = type(lru_cache(int))


def load(settings_module: str) -> None:
    """Import what the programs with these settings import."""
    with TemporaryDirectory() as folder, _empty_environment(settings_module, folder):
        from django.apps import AppConfig, apps
        from django.conf import settings

        for entry in settings.INSTALLED_APPS:
            config = AppConfig.create(entry)
            apps.app_configs[config.label], config.apps = config, apps
        apps.apps_ready = True
        for config in apps.app_configs.values():
            config.import_models()
        apps.models_ready = True
        for name in (*BOTH, *PROGRAMS[settings_module]):
            import_module(name)
        _forget()


def imported(settings_module: str) -> None:
    """In a child: set what importing the site sets in the environment (see tokenburn_site/celery.py)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings_module)
    os.environ.setdefault("CELERY_SKIP_CHECKS", "1")


@contextmanager
def _empty_environment(settings_module: str, folder: str) -> Iterator[None]:
    """Afterwards environment, umask and time zone are what they were; settings change them."""
    environment, mask = dict(os.environ), os.umask(0o077)
    os.environ |= {"DJANGO_SETTINGS_MODULE": settings_module, "TOKENBURN_VAR_DIR": folder, "TOKENBURN_ENV_FILE": ""}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        os.umask(mask)
        time.tzset()


def _forget() -> None:
    """Remove what depends on settings."""
    from django.apps import apps
    from django.conf import settings
    from django.core.cache import caches
    from django.db import connections
    from django.utils.functional import empty

    apps.clear_cache()
    apps.app_configs.clear()
    apps.apps_ready = apps.models_ready = False
    settings._wrapped = empty
    for handler in (connections, caches):
        vars(handler).pop("settings", None)
        handler.__init__()  # type: ignore[misc] # it shall be as new, and others hold it
    for name in OF_SETTINGS:
        if name in sys.modules:
            package, _, attribute = name.rpartition(".")
            del sys.modules[name]
            delattr(sys.modules[package], attribute)
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] in CACHING]:
        for value in vars(module).values():
            if type(value) is _Cached:  # no question of the value itself, which would set up a lazy object
                value.cache_clear()
