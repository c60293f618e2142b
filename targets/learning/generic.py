"""A target of its own, where no preset fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.spec import load_preset, merge
from targets.learning.asked import SESSION_KEYS, TURN_KEYS, Asked
from targets.learning.asking import asked_in
from targets.learning.handshakes import Step, spec_of
from targets.learning.proposal import Proposal
from targets.learning.recorded.answers import document
from targets.learning.recorded.exchange import Answer, Exchange
from targets.learning.saying import Said, paths_of_keys, said_in_whole, unknown_usage
from targets.learning.shared import keys_of
from targets.learning.streams import said_in_stream
from targets.learning.text_like import bare, is_id
from targets.learning.unnamed_ids import where_answers_come
from targets.learning.written import constant, own_headers

BASES: Final = {"json": ("generic-json", False), "sse": ("generic-json", True), "ndjson": ("generic-ndjson", False),
                "text": ("generic-text", False), "frames": ("generic-websocket", False)}  # fmt: skip
NO_ADDRESS: Final = "http://127.0.0.1:8000"
KEPT: Final = ("error", "finish", "tool_call", "refusal")
"""Of the base: where chatbots mostly say them."""


def generic(now: Exchange, before: Exchange | None, marker: str, steps: list[Step]) -> Proposal:
    """`before`: an earlier turn of the same conversation; `steps`: of the handshake before it."""
    asked = asked_in(now, before, marker)
    answer = now.answer if now.answer is not None and now.answer.fine else None
    base, stream = _base(now, answer)
    said = _said(now, asked)
    parts = now.parts
    preset = load_preset(base)
    if stream:
        preset = merge(preset, preset["stream"])
    known = (
        {} if "kinds" in said.response else {key: preset["response"][key] for key in KEPT if key in preset["response"]}
    )
    wanted = {"request": _request(now, asked), "response": {**known, **said.response}}
    if now.socketio is not None:
        wanted["socketio"] = constant(now.socketio)
    if now.separator:
        wanted["websocket"] = {"separator": now.separator}
    over = difference({key: preset[key] for key in wanted}, wanted)
    if answer is not None and "usage" in preset["response"] and "usage" not in str(wanted["response"]):
        where = unknown_usage(answer.documents[-20:])
        said.unsure.append(f"which tokens {where} counts is unknown: see response.usage" if where else "")
    origin = f"{parts.scheme}://{parts.netloc}" if now.url else NO_ADDRESS
    if not now.url:
        said.untold.append("the address: give it with --url")
    if steps:
        over["handshake"] = spec_of(steps, origin)
    return Proposal(
        preset=base,
        url=origin,
        stream=stream,
        params=asked.params | where_answers_come(now),
        overrides=over,
        reason=f"no preset fits: a mapping of its own, over {base}",
        message=asked.message,
        expected=said.text,
        unsure=[*now.unsure, *asked.unsure, *filter(None, said.unsure)],
        untold=[*asked.untold, *said.untold],
    )


def _base(now: Exchange, answer: Answer | None) -> tuple[str, bool]:
    if now.stomp is not None:
        return "stomp", False
    if now.socketio is not None:
        return "generic-socketio", not _acknowledged(now)
    return BASES[answer.kind if answer else "frames" if now.frames else "json"]


def _acknowledged(now: Exchange) -> bool:
    """Whether the answer is the acknowledgement of a Socket.IO event, and that alone."""
    documents = now.answer.documents if now.answer is not None else []
    return bool((now.socketio or {}).get("ack")) and [one["event"] for one in documents] == ["ack"]


def _said(now: Exchange, asked: Asked) -> Said:
    answer = now.answer
    if answer is None or not answer.fine or not answer.events:
        what = "the request was refused" if answer is not None and not answer.fine else "no answer was recorded"
        return Said(
            response={"text": "text"},
            untold=[f"where the answer's text is: {what}; record one (response.text is a guess)"],
        )
    if answer.kind == "json" or _acknowledged(now):
        document = answer.events[0].document
        if now.socketio is not None:
            document = {key: value for key, value in document.items() if key != "args"}
        made = said_in_whole(document, asked.message)
        saves = {name: path for name, path, _ in paths_of_keys([document], asked.saves)}
        if saves:
            made.response["save"] = saves
        return made
    if answer.kind == "text":
        return Said(response={"format": "text"}, text=answer.events[0].data)
    return said_in_stream(answer, asked.message, asked.saves)


def _request(now: Exchange, asked: Asked) -> dict[str, Any]:
    made: dict[str, Any] = {"path": asked.path, "headers": with_ids(own_headers(now), asked)}
    if earlier := [one for one in now.frames[:-1] if now.event != one][:5] if now.stomp is None else []:
        what = "; ".join(keys_of(document(frame)) if not now.event else f"the event {frame[:40]}" for frame in earlier)
        asked.unsure.append(f"what was sent before the message is left out (see hello): messages with {what}")
    if now.event:
        made["event"] = now.event
        del made["path"]
    if now.body is not None:
        made["body"] = asked.body
    elif now.body_text:
        made["body"] = constant(
            now.body_text.replace(asked.message, "{{ message }}") if asked.message else now.body_text
        )
    if not now.frames or now.stomp is not None:
        made["method"] = now.method
    if now.encoding in {"form", "multipart"} and now.body is not None:
        made["encoding"] = now.encoding
    if any(name.lower() == "cookie" for name in made["headers"]):
        asked.unsure.append("the browser's cookies are sent as the secret cookie: without a log-in, leave it unset")
    if expired := [name for name in made["headers"] if "csrf" in name.lower() or "xsrf" in name.lower()]:
        asked.unsure.append(f"{', '.join(expired)} mostly belongs to one log-in: a handshake step may have to get it")
    return made


def with_ids(headers: dict[str, str], asked: Asked) -> dict[str, str]:
    """Headers with expressions in the places of ids."""
    found = {}
    for name, value in headers.items():
        key = bare(name.lower().removeprefix("x-"))
        own = {"{{ session.id }}": key in SESSION_KEYS, "{{ message_id }}": key in TURN_KEYS}
        guess = next((text for text, fits in own.items() if fits and "{{" not in value and is_id(value)), value)
        found[name] = asked.ids.get(value, guess)
        if found[name] != value:
            asked.unsure.append(f"the header {name} is taken to be {found[name]}")
        elif "session" in key and key.endswith("id"):
            asked.unsure.append(f"the header {name} is the same for all users: {{{{ session.id }}}} is not")
    return found


def difference(base: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides that make `wanted` of `base`: what is missing in it becomes null."""
    found: dict[str, Any] = {key: None for key in base if key not in wanted}
    for key, value in wanted.items():
        old = base.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            if inner := difference(old, value):
                found[key] = inner
        elif key not in base or old != value or type(old) is not type(value):
            found[key] = value
    return found
