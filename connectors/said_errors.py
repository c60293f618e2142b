"""Errors that a target says in an answer, in the ways that are well known, wherever its mapping looks. Pure.

Only what has no text is searched: `Timeline` asks when nothing was found at the mapped paths. What merely could be an
error (`error` null, empty, false or 0, a `code` of 0) is none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import orjson

from connectors.wording import error_text

ERROR_EVENT: Final = "@error_event"
"""The key of the document that stands in for a server-sent event whose name says that it is an error."""
SPLIT = re.compile(r"[._:/\-\s]+|(?<=[a-z])(?=[A-Z])")
_ENDS: Final = frozenset({"error", "errors", "exception", "fatal", "fail", "failed", "failure"})
_SUBJECTS: Final = frozenset(
    {
        "response",
        "message",
        "stream",
        "chat",
        "completion",
        "server",
        "internal",
        "api",
        "run",
        "thread",
        "llm",
        "model",
    }
    | {"generation", "fatal", "unhandled", "answer", "bot", "agent", "assistant", "conversation", "connect", "ws"}
)
"""Of what an error is said that ends an answer. A tool's error, say, need not."""
_ERROR_KEYS: Final = ("error", "errors", "exception", "fault", "err")
_FLAG_KEYS: Final = ("success", "ok")
_KIND_KEYS: Final = ("type", "object", "event", "kind", "status", "state", "result")
_CODE_KEYS: Final = ("error_code", "errorCode", "err_code", "errcode", "errorcode", "errno")
_TEXT_KEYS: Final = ("error_message", "errorMessage", "error_msg", "errorMsg", "errmsg", "err_msg", "errMsg")
_STATUS_KEYS: Final = ("status_code", "statusCode", "code", "status", "http_status")
_TELLING: Final = frozenset(
    (ERROR_EVENT, "detail", *_ERROR_KEYS, *_FLAG_KEYS, *_CODE_KEYS, *_TEXT_KEYS, *_STATUS_KEYS)
)  # fmt: skip
_MOST_KEYS: Final = 64
"""Of a document whose keys are remembered."""
_SAID_KEYS: Final = (
    *_TEXT_KEYS,
    "message",
    "msg",
    "detail",
    "details",
    "error_description",
    "description",
    "text",
    "reason",
    "title",
)
_NO_CODES: Final = frozenset({"", "0", "ok", "none", "success", "null", "no_error", "noerror", "200"})
_WELL: Final = frozenset({"ok", "success", "succeeded", "none", "no error", "null", "false", "no"})


@lru_cache(maxsize=512)
def is_error_name(name: str) -> bool:
    """Whether an event of this name, type or status says that the answer failed: `error`, `response.failed`."""
    if not 2 < len(name) <= 60:
        return False
    parts = [part.lower() for part in SPLIT.split(name) if part]
    return bool(parts) and parts[-1] in _ENDS and all(part in _ENDS or part in _SUBJECTS for part in parts[:-1])


def said_error(message: Any, *, typed: bool = False) -> str | None:
    """What went wrong, on one line, by a decoded answer or event without text; None: it says of no error. `typed`: an
    event of a kind that the mapping does not list, which is an error only if its kind says so."""
    if type(message) is not dict:
        first = message[0] if type(message) is list and message else None
        return said_error(first) if type(first) is dict and not typed else None
    kinds, may_say = _telling(tuple(message)) if len(message) <= _MOST_KEYS else (_KIND_KEYS, True)
    if may_say and ERROR_EVENT in message:
        return str(message[ERROR_EVENT])
    for key in kinds:
        if type(value := message.get(key)) is str and is_error_name(value):
            return _described(message, value)
    if typed:
        return None
    said = _by_keys(message) if may_say else _in_choice(message)
    if said is None and "args" in message and type(data := message.get("data")) is dict:  # an event of Socket.IO's
        return said_error(data)
    return said


@lru_cache(maxsize=256)
def _telling(keys: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Of a document with these keys: those that may name its kind, and whether another may say of an error. Targets
    repeat a few shapes with all their answers."""
    may_say = not _TELLING.isdisjoint(keys) or any(key.endswith("Exception") for key in keys)
    return tuple(key for key in _KIND_KEYS if key in keys), may_say


def _by_keys(message: dict[str, Any]) -> str | None:
    for key in _ERROR_KEYS:
        if real_error(message.get(key)):
            return _described(message, message[key])
    for key in _CODE_KEYS:
        if real_code(message.get(key)):
            return _described(message, message[key])
    for key in _TEXT_KEYS:
        if type(value := message.get(key)) is str and value.strip().lower() not in _WELL | {""}:
            return _described(message, value)
    for key in _STATUS_KEYS:
        if _is_error_status(message.get(key)):
            return _described(message, message[key])
    for key in _FLAG_KEYS:
        if message.get(key) is False:
            return _described(message, False)
    alone = message["detail"] if message.keys() == {"detail"} else None  # as FastAPI says it
    if error := alone or _choice_error(message):
        return error_text(error)
    for key, value in message.items():  # as Amazon Bedrock's streams say it
        if key.endswith("Exception") and type(value) is dict and value:
            return _described(value, key)
    return None


def _in_choice(message: dict[str, Any]) -> str | None:
    error = _choice_error(message)
    return None if error is None else error_text(error)


def _choice_error(message: dict[str, Any]) -> Any:
    choices = message.get("choices") or message.get("candidates")
    first = choices[0] if type(choices) is list and choices else None
    if type(first) is not dict:
        return None
    for holder in (first, first.get("delta"), first.get("message")):
        if type(holder) is dict and "error" in holder and real_error(error := holder["error"]):
            return error
    return None


def real_error(value: Any) -> bool:
    """Whether what stands under `error` is one."""
    if not value:
        return False
    if type(value) is str:
        return value.strip().lower() not in _WELL | _NO_CODES
    if type(value) is int:
        return value != 200
    if type(value) is dict:
        if type(code := value.get("code")) is int and code == 0:
            return False
        return any(value.values())
    return any(value) if type(value) is list else True


def real_code(value: Any) -> bool:
    if type(value) is str:
        return value.strip().lower() not in _NO_CODES
    return type(value) is int and value not in (0, 200)


def _is_error_status(value: Any) -> bool:
    return (type(value) is int and 400 <= value < 600) or (
        type(value) is str and value.isdecimal() and 400 <= int(value[:9]) < 600
    )


def _described(message: dict[str, Any], error: Any) -> str:
    """What `error` says; where that is a code or a flag, with what is said beside it."""
    if type(error) is list:
        error = next((item for item in error if real_error(item)), error)
    if type(error) is dict:
        return error_text(error)
    said = "" if type(error) is bool else error_text(error)
    if " " in said:
        return said
    beside = _inner_error(message)
    if beside is None or beside == error:
        beside = next((value for key in _SAID_KEYS if type(value := message.get(key)) in (str, dict) and value), None)
    if beside is None and type(message.get("data")) in (str, dict):
        beside = message["data"]
    text = "" if beside is None else error_text(beside)
    if not text or text == said:
        return said or "the answer says that something went wrong"
    return f"{said}: {text}" if said else text


def _inner_error(message: dict[str, Any]) -> Any:
    """The error object in it, or in what it holds; None: there is none."""
    for holder in (message, message.get("response"), message.get("data")):
        if type(holder) is dict and type(error := holder.get("error")) in (dict, str) and real_error(error):
            return error
    return None


def described(message: Any, error: Any) -> str:
    """What a mapped `error` says."""
    return _described(message, error) if type(message) is dict else error_text(error)


def error_event(name: str, data: bytes) -> bytes:
    """The document that stands in for an event whose name says that it is an error."""
    return orjson.dumps({ERROR_EVENT: event_text(name, data)})


def event_text(name: str, data: bytes) -> str:
    """What an event whose name says that it is an error tells. Its data need not be JSON, and it may have none."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        said = data.decode(errors="replace").strip()
    if type(said) is dict and (inner := _inner_error(said)) is not None:
        said = inner
    text = "without data" if said in (None, "", {}, []) else error_text(said)
    return f"the event {name!r}: {text}"
