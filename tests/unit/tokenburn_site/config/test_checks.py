"""No service starts with settings that give the site away, and the site of one machine needs no setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings

from tests.support.processes import ROOT
from tokenburn_site.config.checks import refusal, unsafe_settings
from tokenburn_site.config.oidc import OidcEnv

GOOD = "kW8s0vJ2bq5Zr7Xc1nM4tY6uP9aDfGhL3eRi"
SERVICES = {
    "check": ("manage.py", "check"),
    "up": ("manage.py", "up"),
    "web": ("-m", "daphne", "-p", "0", "tokenburn_site.asgi:application"),
    "worker": ("-m", "celery", "-A", "tokenburn_site", "worker", "-Q", "load"),
    "beat": ("-m", "celery", "-A", "tokenburn_site", "beat", "--pidfile", ""),
}


@pytest.fixture
def safe(settings: LazySettings) -> LazySettings:
    settings.SECRET_KEY, settings.SECRET_KEY_GIVEN, settings.DEBUG = GOOD, True, False
    settings.ALLOWED_HOSTS = ["burn.example", ".intern.example", "10.0.0.7"]
    return settings


def ids(bind: str = "") -> list[str]:
    return [str(error.id)[-4:] for error in unsafe_settings(bind)]


def test_a_real_site_is_not_refused(safe: LazySettings) -> None:
    assert ids("0.0.0.0") == [] and refusal() == ""


@pytest.mark.parametrize("key", ["x", "x" * 50, GOOD[:31], "abc" * 20])
def test_a_key_that_can_be_guessed(safe: LazySettings, key: str) -> None:
    safe.SECRET_KEY = key
    assert ids() == ["E001"]
    assert key not in refusal() or len(key) == 1


@pytest.mark.parametrize("hosts", [["*"], ["burn.example", "*"], [".*"], ["."]])
def test_every_host(safe: LazySettings, hosts: list[str]) -> None:
    safe.ALLOWED_HOSTS = hosts
    assert ids() == ["E003"]


def test_debug_where_others_can_come(safe: LazySettings) -> None:
    safe.DEBUG = True
    assert ids() == ["E002"]
    safe.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
    assert ids() == ids("127.0.0.1") == []
    assert ids("0.0.0.0") == ids("192.168.1.5") == ["E002"]


def test_no_way_to_log_in(safe: LazySettings) -> None:
    safe.LOCAL_PASSWORDS = False
    assert ids() == ["E004"]
    safe.OIDC = OidcEnv(issuer="https://login.example", client_id="burn")
    assert ids() == []


def test_the_generated_key_and_the_defaults_are_not_refused(safe: LazySettings) -> None:
    safe.SECRET_KEY, safe.SECRET_KEY_GIVEN, safe.ALLOWED_HOSTS = "short", False, ["127.0.0.1", "localhost", "[::1]"]
    assert ids("0.0.0.0") == []


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_refuses_to_start_and_says_why(name: str, tmp_path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("TOKENBURN_", "DJANGO_"))}
    env = kept | {"TOKENBURN_VAR_DIR": str(tmp_path), "TOKENBURN_ENV_FILE": "", "TOKENBURN_SECRET_KEY": "x"}
    argv = [sys.executable, *SERVICES[name]]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "TOKENBURN_SECRET_KEY can be guessed" in done.stderr and "openssl rand" in done.stderr
