"""What of a handshake's values is shown: what says nothing, else sizes, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest

from targets.saved_values import hidden, told

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("protocol_version", "2025-06-18", "2025-06-18"),
        ("api", "/answer", "/answer"),
        ("version", "1.12.3", "1.12.3"),
        ("token", "2025-06-18", "***"),
        ("access_key", {"a": 1}, "***"),
        ("session_id", "b4d1", "*** (4 characters)"),
        ("word", "hunter2", "*** (7 characters)"),
        ("code", "4711", "*** (4 characters)"),
        ("thread", "0f0e0d0c-1111-4222-8333-444444444444", "*** (36 characters, begins with 0f0e)"),
        ("count", 3, "3"),
        ("tools", [{"name": "ask", "token": "t0k", "note": JWT}], '[{"name":"ask","token":"***","note":"***"}]'),
    ],
)
def test_a_value_is_shown_by_its_kind(name: str, value: Any, shown: str) -> None:
    assert told(name, value) == shown


def test_all_but_what_says_nothing_is_hidden_wherever_it_stands() -> None:
    saved = {"protocol_version": "2025-06-18", "token": "1.2.3", "id": "b4d1", "tools": [JWT], "api": "/answer"}
    assert hidden(saved) == {"1.2.3", "b4d1"}
