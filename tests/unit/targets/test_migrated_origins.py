"""Targets of a version without credentials keep all places that they led to."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.spec import build_target_spec

migration = import_module("targets.migrations.0004_secrets_become_credentials")
STEPS = [
    {"name": "here", "url": "/here", "headers": {"host": "login.example"}},
    {"name": "there", "url": "http://idp.example:8080/t", "headers": {"Host": "tenant.idp.example"}},
]
OVERRIDES: list[dict[str, Any]] = [
    {},
    {"proxy": {"url": "http://proxy:3128"}},
    {"request": {"headers": {"Host": "tenant.example"}}},
    {"request": {"headers": {"Host": "{{ params.host }}"}}},
    {"handshake": {"steps": STEPS}, "standing": {"headers": {"HOST": "streams.example:444"}}},
]


@pytest.mark.parametrize("overrides", OVERRIDES)
def test_the_origins_are_those_that_the_target_names_itself(overrides: dict[str, Any]) -> None:
    url = "wss://bot.example.org/chat"
    preset = "generic-websocket"
    target = SimpleNamespace(url=url, preset=preset, stream=False, overrides=overrides)
    spec = build_target_spec(name="bot", url=url, preset=preset, overrides=overrides)
    assert set(migration.origins_of(target)) == set(spec.own_origins())
