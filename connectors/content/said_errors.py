"""Finds errors in an answer in their common forms, wherever the mapping looks. Pure.

`Timeline` asks of what has no text at the mapped paths; and, when a turn is over, of the answer or event with its last
text: servers that failed say so to people in the same field as an answer. What merely could be an error (`error` null,
empty, false or 0, a `code` of 0) is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

from connectors.content.wording import error_text

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
_FAULT_FLAGS: Final = ("isError", "is_error", "hasError", "has_error", "failed")
_TYPE_KEY: Final = "__type"
"""Names the class of an error, as Amazon's services do: `ThrottlingException`."""
_KIND_KEYS: Final = ("type", "object", "event", "kind", "status", "state", "result")
_CODE_KEYS: Final = ("error_code", "errorCode", "err_code", "errcode", "errorcode", "errno", "error_type", "errorType")
_TEXT_KEYS: Final = ("error_message", "errorMessage", "error_msg", "errorMsg", "errmsg", "err_msg", "errMsg")
_STATUS_KEYS: Final = ("status_code", "statusCode", "code", "status", "http_status")
_TELLING: Final = frozenset(
    (
        *(ERROR_EVENT, "args", "detail", _TYPE_KEY),
        *(*_ERROR_KEYS, *_FLAG_KEYS, *_FAULT_FLAGS, *_CODE_KEYS, *_TEXT_KEYS, *_STATUS_KEYS),
    )
)
_WELL_NAMES: Final = ("chat.completion", "chat.completion.chunk", "text_completion", "message", "response")
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


ShapeTest = Callable[[Any], bool]
"""Whether an answer is of a certain shape."""


def no_shape(_message: Any) -> bool:
    """The shape of nothing: stands until one is known."""
    return False


def harmless_shape(message: Any) -> ShapeTest | None:
    """A test for answers of this one's shape, if one of this shape can say of an error only inside its choice's
    holder; else None. Targets repeat one shape with all their answers, and each turn asks.

    An answer passes if it has these keys, calls itself the same, has these keys in its first choice, and tells of no
    error in that one of them which holds the text.
    """
    if type(message) is not dict or len(message) > _MOST_KEYS:
        return None
    kinds, may_say = _telling(keys := tuple(message))
    named = message.get("object")
    if may_say or "candidates" in message or any(kind != "object" for kind in kinds):
        return None
    if kinds and named not in _WELL_NAMES:
        return None
    if "choices" not in message:
        return _same_keys(keys, named)
    choices = message["choices"]
    first = choices[0] if type(choices) is list and choices else None
    if type(first) is not dict or "error" in first:
        return None
    holder = next((key for key in ("message", "delta") if type(first.get(key)) is dict), None)
    return None if holder is None else _same_choice(keys, named, tuple(first), holder)


def _same_keys(keys: tuple[str, ...], named: Any) -> ShapeTest:
    def fits(message: Any) -> bool:
        return type(message) is dict and tuple(message) == keys and message.get("object") == named

    return fits


def _same_choice(keys: tuple[str, ...], named: Any, choice: tuple[str, ...], holder: str) -> ShapeTest:
    def fits(message: Any) -> bool:
        try:
            return (
                tuple(message) == keys
                and (named is None or message["object"] == named)
                and tuple(first := message["choices"][0]) == choice
                and "error" not in first[holder]
            )
        except (KeyError, IndexError, TypeError):
            return False

    return fits


def said_error(message: Any, *, typed: bool = False, beside_text: bool = False) -> str | None:
    """The error in a decoded answer or event, on one line; None: no error. `typed`: the mapping does not list the
    event's kind, so only its kind can mark an error. `beside_text`: the answer also has text."""
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
    if not may_say:
        return None if (choice := _choice_error(message)) is None else error_text(choice)
    said = _by_keys(message, beside_text=beside_text)
    if said is None and "args" in message and type(data := message.get("data")) is dict:  # an event of Socket.IO's
        return said_error(data, beside_text=beside_text)
    return said


@lru_cache(maxsize=256)
def _telling(keys: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Of a document with these keys: those that may name its kind, and whether another may say of an error. Targets
    repeat a few shapes with all their answers."""
    may_say = not _TELLING.isdisjoint(keys) or any(key.endswith("Exception") for key in keys)
    return tuple(key for key in _KIND_KEYS if key in keys), may_say


def _by_keys(message: dict[str, Any], *, beside_text: bool) -> str | None:
    for key in _SIGNS:
        if key in message and _SIGNS[key](value := message[key]):
            return _described(message, value)
    alone = message["detail"] if not beside_text and message.keys() == {"detail"} else None  # as FastAPI says it
    if error := alone or _choice_error(message):
        return error_text(error)
    for key, value in message.items():  # as Amazon Bedrock's streams say it
        if key.endswith("Exception") and type(value) is dict and value:
            return _described(value, key)
    return None


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


def _is_text(value: Any) -> bool:
    return type(value) is str and value.strip().lower() not in _WELL | {""}


def _is_class_of_errors(value: Any) -> bool:
    return type(value) is str and value.endswith(("Exception", "Error", "Fault"))


def _is_error_status(value: Any) -> bool:
    return (type(value) is int and 400 <= value < 600) or (
        type(value) is str and value.isdecimal() and 400 <= int(value[:9]) < 600
    )


_SIGNS: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(_ERROR_KEYS, real_error),
    **dict.fromkeys(_CODE_KEYS, real_code),
    **dict.fromkeys(_TEXT_KEYS, _is_text),
    **dict.fromkeys(_STATUS_KEYS, _is_error_status),
    **dict.fromkeys(_FLAG_KEYS, lambda value: value is False),
    **dict.fromkeys(_FAULT_FLAGS, lambda value: value is True),
    _TYPE_KEY: _is_class_of_errors,
}
"""By key, in the order of how much they tell: which values of it say that something went wrong."""


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
    """A document for an event whose name marks an error."""
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
