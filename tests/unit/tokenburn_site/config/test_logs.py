"""A log line contains the event and no credential."""

from __future__ import annotations

import json
import logging
import os

import pytest

from tokenburn_site.config.logs import JsonFormatter, LogFormat, TextFormatter, logging_config, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abc.def-123 sent", "Authorization: Bearer *** sent"),
        ("{'authorization': 'Basic dXNlcjpwdw=='}", "{'authorization': 'Basic ***'}"),
        ("x-api-key=K123, n=1", "x-api-key=***, n=1"),
        ("redis://:hunter2@cache:6379/0 refused", "redis://:***@cache:6379/0 refused"),
        ("postgres://tb:pa55@db/x", "postgres://tb:***@db/x"),
        ("GET /v1?api_key=K1&n=2", "GET /v1?api_key=***&n=2"),
        ("bad key sk-abcdefgh12345678", "bad key sk-***"),
        ("http://host:8000/v1 answered 200", "http://host:8000/v1 answered 200"),
        ("tokens=12 in 3 turns", "tokens=12 in 3 turns"),
    ],
)
def test_credentials_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask(text) == masked


def record(message: object, *args: object) -> logging.LogRecord:
    error = ConnectionError("redis://:hunter2@cache refused")
    return logging.LogRecord("runs", logging.ERROR, __file__, 1, message, args, (type(error), error, None))


def test_json_is_one_object_per_line_with_the_stack_inside() -> None:
    line = JsonFormatter().format(record("token=%s\nsecond line", "T1"))
    assert "\n" not in line
    parsed = json.loads(line)
    assert parsed["message"] == "token=***\nsecond line"
    assert parsed["level"] == "error" and parsed["logger"] == "runs" and parsed["pid"] == os.getpid()
    assert "ConnectionError" in parsed["error"] and "hunter2" not in line


def test_a_json_line_has_its_keys_and_none_of_what_libraries_attach() -> None:
    plain = logging.LogRecord("django.request", logging.WARNING, __file__, 1, "Not Found: %s", ("/x",), None)
    plain.__dict__ |= {"created": 1_800_000_000.25, "request": object(), "level": 3, "at": "never"}
    assert json.loads(JsonFormatter().format(plain)) == {
        "at": "2027-01-15T08:00:00.250000+00:00",
        "level": "warning",
        "logger": "django.request",
        "pid": os.getpid(),
        "message": "Not Found: /x",
    }


def test_a_message_that_is_no_text_is_written_as_text() -> None:
    assert json.loads(JsonFormatter().format(record({"token=T1": 2})))["message"] == "{'token=***': 2}"


def test_a_json_line_holds_what_utf_8_cannot() -> None:
    assert json.loads(JsonFormatter().format(record("half of a pair: \ud83d")))["message"] == "half of a pair: \ud83d"


def test_text_masks_the_stack_too() -> None:
    line = TextFormatter().format(record("failed"))
    assert "ERROR runs: failed" in line and "ConnectionError" in line and "hunter2" not in line


@pytest.mark.parametrize(("style", "formatter"), [("text", TextFormatter), ("json", JsonFormatter)])
def test_the_style_chooses_the_formatter(style: LogFormat, formatter: type) -> None:
    config = logging_config("INFO", style)
    assert config["formatters"]["line"]["()"] is formatter


def test_no_text_forges_a_line_or_reaches_the_terminal_raw() -> None:
    forged = "2026-11-30 08:00:00,000 INFO runs: all is well"
    error = ConnectionError(f"no\n{forged}\x1b[2J")
    made = logging.LogRecord("runs", logging.ERROR, __file__, 1, "failed: %s", (f"x\u202e\r\n{forged}",), None)
    made.exc_info = (ConnectionError, error, None)
    text = TextFormatter().format(made)
    first, *stack = text.split("\n")
    assert first.endswith(f"failed: x\\u202e\\r\\n{forged}")
    assert stack[-1] == f"  {forged}\\x1b[2J" and all(line.startswith("  ") for line in stack)
    assert "\x1b" not in text and "\r" not in text


def test_a_credential_before_a_tab_is_masked_before_the_tab_becomes_visible() -> None:
    assert "abc123" not in TextFormatter().format(record("Authorization:\tBearer abc123"))


def test_a_wrong_host_is_one_line_however_often_a_stranger_asks() -> None:
    filters = logging_config("INFO", "text")
    assert filters["loggers"]["django.security.DisallowedHost"]["filters"] == ["without_stack"]
    made = record("Invalid HTTP_HOST header: %r", "evil.example")
    assert filters["filters"]["without_stack"]["()"]()(made)
    text = TextFormatter().format(made)
    assert "\n" not in text and " WARNING " in text
