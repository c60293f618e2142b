"""Logging: one line per record, as text or as JSON, with secrets masked wherever they come from."""

from __future__ import annotations

import logging
import re
from typing import Any, Literal

import pythonjsonlogger.json

from plain_text.visible import visible

LogFormat = Literal["text", "json"]
# One or two lines per task: with the reaper every 5 s, they would bury what matters. urllib3 quotes whole addresses,
# which may be secrets.
CHATTY = ("celery.worker.strategy", "celery.app.trace", "celery.beat", "daphne.http_protocol", "urllib3", "authlib")
MASK = r"\1***"
# The last line of defence: no code of ours logs a secret, but a library's error text may quote a header or address.
HEADERS = "authorization|proxy-authorization|x-api-key|api-key|cookie"
SECRETS = [
    re.compile(rf"""(\b(?:{HEADERS})["']?\s*[:=]\s*["']?(?:bearer |basic )?)[^\s"',]+""", re.I),
    re.compile(r"(\bbearer )[\w.~+/=-]+", re.I),
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)", re.I),
    re.compile(r"""(\b(?:api_?key|token|secret|password)=)[^\s&"']+""", re.I),
    re.compile(r"(\bsk-)[\w-]{8,}"),
    re.compile(r"(\btb_)[A-Za-z0-9]{8,}"),  # API tokens of this site
]


def mask(text: str) -> str:
    """The text with credentials replaced by ***."""
    for pattern in SECRETS:
        text = pattern.sub(MASK, text)
    return text


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """On one line, so that no quoted text can pass for a record of its own."""
        return visible(mask(super().formatMessage(record)))

    def format(self, record: logging.LogRecord) -> str:
        """A stack follows on indented lines."""
        first, *stack = visible(mask(super().format(record)), lines=True).split("\n")
        return "\n".join([first, *(f"  {line}" for line in stack)])


class JsonFormatter(pythonjsonlogger.json.JsonFormatter):
    """Keys: at (UTC, ISO 8601), level, logger, pid, message, and error with the stack if there is one."""

    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger", "process": "pid", "exc_info": "error"}
        fields = ["levelname", "name", "process", "message"]
        super().__init__(fields, rename_fields=names, timestamp="at", defaults={"at": None})  # which puts it first

    def format(self, record: logging.LogRecord) -> str:
        """Without what libraries attach to a record, such as a request or a task's arguments."""
        kept = {name: getattr(record, name) for name in ("created", "name", "process", "exc_info")}
        text = {"levelname": record.levelname.lower(), "msg": mask(record.getMessage())}
        return super().format(logging.makeLogRecord(kept | text))

    def formatException(self, ei: Any) -> str:
        return mask(str(super().formatException(ei)))


def without_stack(record: logging.LogRecord) -> bool:
    """A logger's filter. Every stranger can cause such a record: a line tells all, at no more than a warning."""
    record.exc_info = record.exc_text = None
    record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def logging_config(level: str, style: LogFormat) -> dict[str, Any]:
    """Django's LOGGING: everything to stderr, in one format."""
    formatter = JsonFormatter if style == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "filters": {"without_stack": {"()": lambda: without_stack}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Django would print to its own handlers and mail administrators: here all goes one way.
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "django.security.DisallowedHost": {"filters": ["without_stack"]},
            **{name: {"level": "WARNING"} for name in CHATTY},
        },
    }
