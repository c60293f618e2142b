"""Recorded exchanges of the presets: what we must send, and what the vendor's documentation says comes back.

One file a preset in `tests/recordings/`. A case has `request` (secrets as ***; of a form, the body is a list of its
parts), `answer` as one of `json` (a whole answer), `text` (a body that is one), `events` (server-sent), `aws_events`
(messages of Amazon's, which may be an `exception`), `lines` (one JSON a line) or `messages` (of a transport that goes
on), and `expected`; `handshake` is false where no step of the file's `handshake` goes before. `then` has the answer to
the turn's own request and the request that follows it, and so on; `answer` is the last one. `dialogue` is all that `we`
and `they` say over a WebSocket, with what comes before the turn's own message.
"""

from __future__ import annotations

import json
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from connectors.content.styles import FRAMES_TYPE
from connectors.errors import TurnError
from connectors.http.aws_frames import encode_message
from connectors.spec import TargetSpec, build_target_spec
from connectors.timeline import Timeline
from connectors.timeline.named import UNNAMED

RECORDINGS = Path(__file__).parents[1] / "recordings"
SESSION = {"id": "session-7", "number": 7, "user": 0}
ORIGIN = "http://127.0.0.1:9"


class Case(NamedTuple):
    preset: str
    data: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.preset}: {self.data['name']}"

    @property
    def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.data["answer"]
        return answer

    @property
    def expected(self) -> dict[str, Any]:
        expected: dict[str, Any] = self.data["expected"]
        return expected

    def spec(self, origin: str = ORIGIN, **overrides: Any) -> TargetSpec:
        return recorded_spec(self.preset, self.data, origin, **overrides)

    def context(self) -> dict[str, Any]:
        """What templates see; the last message of the conversation is the one that is said."""
        messages = self.data["conversation"]
        return {
            "message": messages[-1]["content"],
            "messages": messages,
            "history": messages[:-1],
            "turn": len(messages) // 2 - 1,
            "vars": {},
        }


def recorded_spec(preset: str, data: dict[str, Any], origin: str = ORIGIN, **overrides: Any) -> TargetSpec:
    return build_target_spec(
        name="recorded",
        url=origin + data.get("url", ""),
        preset=preset,
        stream=data.get("stream", False),
        params=data.get("params"),
        secrets=data.get("secrets"),
        overrides=overrides,
    )


def recorded_presets() -> list[str]:
    return sorted(path.stem for path in RECORDINGS.glob("*.json"))


def recording(preset: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((RECORDINGS / f"{preset}.json").read_text(encoding="utf-8"))
    return data


def recorded_cases() -> list[Case]:
    cases = []
    for preset in recorded_presets():
        data = recording(preset)
        cases += [Case(preset, {"conversation": data["conversation"], **case}) for case in data["cases"]]
    return cases


def without_secrets(headers: dict[str, str], secrets: dict[str, str]) -> dict[str, str]:
    for secret in secrets.values():
        headers = {name: value.replace(secret, "***") for name, value in headers.items()}
    return headers


def sent_body(headers: dict[str, str], body: bytes) -> Any:
    """What a request's body says: JSON, or name, file name, content type and text of each part of a form. The content
    type of a form loses its boundary."""
    name = next((name for name, value in headers.items() if value.startswith("multipart/form-data")), None)
    if name is None:
        return orjson.loads(body or b"null")
    kind, headers[name] = headers[name], "multipart/form-data"
    whole = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    return [
        [
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_content_type(),
            bytes(part.get_payload(decode=True)).decode(),
        ]
        for part in whole.iter_parts()
    ]


def event_data(answer: dict[str, Any]) -> list[bytes]:
    """The data of each event, line or message of a streamed answer."""
    found = [event["data"] for event in (*answer.get("events", []), *answer.get("aws_events", []))]
    found += [*answer.get("lines", []), *answer.get("messages", [])]
    return [data.encode() if isinstance(data, str) else orjson.dumps(data) for data in found]


def event_names(answer: dict[str, Any]) -> list[str]:
    """The name of each event, if events of this kind have one."""
    named = (*answer.get("events", []), *answer.get("aws_events", []))
    return [event.get("event", UNNAMED) for event in named]


def aws_body(answer: dict[str, Any]) -> bytes:
    """Its `aws_events` as they are sent."""
    return b"".join(
        encode_message(
            [(":message-type", kind), (f":{kind}-type", event[kind]), (":content-type", "application/json")], data
        )
        for event, data in zip(answer["aws_events"], event_data(answer), strict=True)
        for kind in event.keys() - {"data"}
    )


def wire_bytes(answer: dict[str, Any]) -> bytes:
    """The whole HTTP response."""
    if "json" in answer:
        kind, body = "application/json", orjson.dumps(answer["json"])
    elif "text" in answer:
        kind, body = "text/plain; charset=utf-8", answer["text"].encode()
    elif "lines" in answer:
        kind, body = "application/x-ndjson", b"".join(line + b"\n" for line in event_data(answer))
    elif "aws_events" in answer:
        kind, body = FRAMES_TYPE, aws_body(answer)
    else:
        kind = "text/event-stream"
        named = zip(answer["events"], event_data(answer), strict=True)
        body = b"".join(
            (f"event: {event['event']}\n".encode() if "event" in event else b"") + b"data: " + data + b"\n\n"
            for event, data in named
        )
    head = f"HTTP/1.1 {answer['status']} Recorded\r\nContent-Type: {answer.get('type', kind)}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def check_outcome(case: Case, timeline: Timeline, error: TurnError | None) -> None:
    """What a turn came to is what the recording expects."""
    expected = case.expected
    if "error" in expected:
        assert error is not None
        assert error.code == expected["error"]
        assert expected["detail"] in error.detail
        return
    assert error is None
    given = {name: value for name, value in expected.items() if name != "saved"}
    assert {name: getattr(timeline, name) for name in given} == given
    assert (timeline.saved or {}) == expected.get("saved", {})
    assert timeline.done_ns is not None
