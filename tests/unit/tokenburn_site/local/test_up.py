"""The parts of `up` that need no service: the administrator, the environment of services, what is printed."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.conf import settings as django_settings
from pytest_django import Settings

from tests.support.services import reserve_port
from tokenburn_site.local import up
from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.up import UpOptions

OPTIONS = UpOptions(
    host="127.0.0.1", port=8000, workers=3, mock=True, mock_port=8100, valkey_port=None, admin_password=None
)


def test_services_get_the_settings_of_up_and_not_the_administrators_password(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1234/0"
    given = {"PATH": "/bin", "PYTHONPATH": "/mine", "TOKENBURN_ADMIN_PASSWORD": "hunter2", "DATABASE_URL": "x"}
    env = up.child_environment(given)
    assert "hunter2" not in env.values()
    assert env["REDIS_URL"] == "redis://127.0.0.1:1234/0"
    assert env["TOKENBURN_VAR_DIR"] == str(django_settings.VAR_DIR)
    assert up.child_environment(given, site="http://x")["TOKENBURN_SITE_URL"] == "http://x"
    settings.SITE_URL = "https://burn.example"
    assert up.child_environment(given, site="http://x")["TOKENBURN_SITE_URL"] == "https://burn.example"
    assert env["DATABASE_URL"] == "x" and env["PYTHONPATH"].endswith(":/mine")


def test_each_queue_has_its_worker_and_the_mock_can_be_left_out() -> None:
    found = {service.name: list(service.argv) for service in up.services(OPTIONS, {})}
    assert set(found) == {"load", "control", "beat", "web", "mock"}
    assert found["load"][found["load"].index("-c") + 1] == "3"
    assert found["load"][found["load"].index("-Q") + 1] == "load"
    assert found["control"][found["control"].index("-Q") + 1] == "control"
    assert "mock" not in {service.name for service in up.services(replace(OPTIONS, mock=False), {})}


def test_the_block_shows_a_new_password_once_and_the_ways_in() -> None:
    first = up.status_block(OPTIONS, "Secret-1", Path("/var/logs"))
    assert "http://127.0.0.1:8000/admin/" in first and "Secret-1" in first and "http://127.0.0.1:8100/v1" in first
    later = up.status_block(replace(OPTIONS, mock=False, host="0.0.0.0"), None, Path("/var/logs"))
    assert "shown once" not in later and "8100" not in later and "http://127.0.0.1:8000/admin/" in later


@pytest.mark.parametrize(
    ("name", "flag"), [("port", "--port"), ("mock_port", "--mock-port"), ("valkey_port", "--valkey-port")]
)
def test_a_port_in_use_is_named_with_its_flag_before_anything_starts(
    name: str, flag: str, tmp_path: Path, settings: Settings
) -> None:
    settings.VAR_DIR, settings.REDIS_GIVEN = tmp_path, False
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports: dict[str, Any] = {field: reserve_port() for field in ("port", "mock_port", "valkey_port")}
        ports[name] = taken.getsockname()[1]
        with pytest.raises(LocalServiceError) as refused:
            up.run_up(replace(OPTIONS, **ports), said.append, Event())
    assert str(refused.value).startswith(f"port {ports[name]} on 127.0.0.1 is in use: give another one with {flag}")
    assert (said, list((tmp_path / "logs").iterdir())) == ([], [])
