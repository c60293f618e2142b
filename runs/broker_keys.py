"""Names in the broker. Several installations may share a server and a database number: each key, stream, queue and lock
begins with the id of its installation, which the database holds (`runs.models.installation`)."""

from __future__ import annotations

import redis
from django.db import Error, connection

_QUERY = "SELECT name FROM runs_installation"
_known: list[str] = []
"""The id, once this process has read it. It never changes."""


class InstallationUnknownError(redis.ConnectionError):
    """The database did not give the id. As long as that is so, the broker is as good as away, and callers handle it
    as such."""


def broker_key(name: str = "") -> str:
    """The name in the broker of what this installation calls `name`; without one, what all its names begin with."""
    return f"tokenburn:{installation_id()}:{name}"


def installation_id() -> str:
    """Raises InstallationUnknownError. In an event loop, only after another thread has read it."""
    if not _known:
        remember(_read())
    return _known[0]


def remember(name: str) -> None:
    _known[:] = [name]


def _read() -> str:
    """Over a connection of its own: it neither disturbs a transaction nor stays open in a worker's main process."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute(_QUERY)
            row = cursor.fetchone()
    except Error as exc:
        raise InstallationUnknownError(
            f"the database did not give the installation's id (is it migrated?): {exc}"
        ) from exc
    finally:
        own.close()
    if row is None:
        raise InstallationUnknownError("the database holds no id of the installation: run `manage.py migrate`")
    return str(row[0])
