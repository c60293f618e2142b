"""Describes the database in messages: kind, name and location, never user or password."""

from __future__ import annotations

from django.db import connection


def database_name() -> str:
    """For example `PostgreSQL database "tokenburn" at db.example:5432`."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"SQLite database {config['NAME']}"
    host, port = config.get("HOST") or "localhost", config.get("PORT") or 5432
    return f'{connection.display_name} database "{config["NAME"]}" at {host}:{port}'
