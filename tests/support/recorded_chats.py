"""Recorded chats as a browser's HAR file or a vendor's curl example would have them, for tests of learning.

Those of the presets come from tests/recordings/, those that no preset knows from tests/recordings/unknown/.
"""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from typing import Any, NamedTuple

import orjson

from connectors.spec import load_preset
from tests.support.recordings import RECORDINGS, event_data, recorded_presets, recording, wire_bytes

UNKNOWN = RECORDINGS / "unknown"
KEY = "planted-key-77ab12cd"
NOISE = [
    ("GET", "https://app.example.com/main.css", None, ("text/css", ".a{}")),
    ("POST", "https://stats.example.com/collect", {"event": "page opened", "id": 7}, ("application/json", "{}")),
    ("GET", "https://app.example.com/api/config", None, ("application/json", '{"title":"A helpful assistant"}')),
]  # fmt: skip
BROWSER = {
    "User-Agent": "Mozilla/5.0",
    "Accept-Language": "de-AT,de;q=0.9",
    "Sec-Fetch-Mode": "cors",
    "Origin": "https://app.example.com",
    "Cookie": f"sid={KEY}-cookie; theme=dark",
}


class Chat(NamedTuple):
    """`turns`: each with request, answer, message and text, the last of which a proposal is compared with."""

    name: str
    data: dict[str, Any]
    preset: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def last(self) -> dict[str, Any]:
        turn: dict[str, Any] = self.data["turns"][-1]
        return turn

    def text(self) -> str:
        return har(self.data) if self.data["form"] == "har" else curl(self.last)


def unknown_chats() -> list[Chat]:
    return [Chat(path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(UNKNOWN.glob("*.json"))]


def preset_chats() -> list[Chat]:
    """The answered cases of the presets over HTTP, as HAR files and curl lines in turn."""
    found: list[Chat] = []
    for preset in recorded_presets():
        data = recording(preset)
        for case in data["cases"]:
            answer = case["answer"]
            emits = bool(case["request"].get("event"))
            read = emits or answer.keys() & {"json", "events", "lines"}
            if preset.startswith("generic") or not read or "error" in case["expected"]:
                continue
            request = {**case["request"], "url": f"https://bots.example.com{case['request']['path']}"}
            if emits:
                path = load_preset(preset).get("socketio", {}).get("path", "/socket.io/")
                request["url"] = f"wss://bots.example.com{path}?EIO=4&transport=websocket"
            request["headers"] = {name: value.replace("***", KEY) for name, value in request["headers"].items()}
            conversation = case.get("conversation", data["conversation"])
            turn = {"request": request, "answer": answer, "message": conversation[-1]["content"], **case["expected"]}
            turn["frames"] = emits
            form = "har" if emits or len(found) % 2 else "curl"
            found.append(Chat(f"{preset}: {case['name']}", {"form": form, "turns": [turn], "case": case}, preset))
    return found


def curl(turn: dict[str, Any]) -> str:
    """A command and what it printed with `-i`."""
    request = turn["request"]
    words = ["curl", "-i", "-X", request["method"], request["url"]]
    for name, value in request["headers"].items():
        words += ["-H", f"{name}: {value}"]
    body = request["body"]
    if request.get("encoding") == "form":
        words += [word for name, value in body.items() for word in ("--data-urlencode", f"{name}={value}")]
    elif body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body, ensure_ascii=False)]
    return f"{shlex.join(words)}\n\n{wire_bytes(turn['answer']).decode()}"


def har(data: dict[str, Any]) -> str:
    entries = [_entry(method, url, {}, body, *answer) for method, url, body, answer in NOISE]
    entries += [_turn_entry(turn) for turn in (*data.get("before", ()), *data["turns"])]
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "a browser"}, "entries": entries}})


def _turn_entry(turn: dict[str, Any]) -> dict[str, Any]:
    request = turn["request"]
    if turn.get("frames"):
        made = _entry("GET", request["url"], {}, None, "x-unknown", "")
        if "event" in request:
            return made | {"_webSocketMessages": _socketio(turn)}
        came = [data.decode() for data in event_data(turn["answer"])]
        return made | {"_webSocketMessages": [_frame("send", json.dumps(request["body"])), *_received(came)]}
    head, _, body = wire_bytes(turn["answer"]).partition(b"\r\n\r\n")
    kind = head.partition(b"Content-Type: ")[2].partition(b"\r\n")[0].decode()
    return _entry(request["method"], request["url"], request["headers"], request["body"], kind, body.decode())


def _socketio(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """With the frames around the events: connect, a ping, an event of the page itself."""
    request = turn["request"]
    came = [json.loads(data) for data in event_data(turn["answer"])]
    events = [f"42{json.dumps([event['event'], *event.get('args', [event.get('data')])])}" for event in came]
    auth, asked = json.dumps({"token": f"{KEY}-auth"}), json.dumps([request["event"], request["body"]])
    first = [_frame("receive", '0{"sid":"a"}'), _frame("send", f"40{auth}"), _frame("receive", '40{"sid":"b"}')]
    return [
        *first,
        _frame("send", '42["page_opened",{"x":1}]'),
        _frame("send", f"42{asked}"),
        *_received(["2", *events]),
    ]


def _received(texts: list[str]) -> list[dict[str, Any]]:
    return [_frame("receive", text) for text in texts]


def _frame(kind: str, text: str) -> dict[str, Any]:
    return {"type": kind, "opcode": 1, "data": text}


def _entry(method: str, url: str, headers: dict[str, str], body: Any, kind: str, text: str) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in {**BROWSER, **headers}.items()]
    request: dict[str, Any] = {"method": method, "url": url, "headers": pairs}
    if body is not None:
        request["postData"] = {"mimeType": "application/json", "text": orjson.dumps(body).decode()}
    packed = {"encoding": "base64", "text": b64encode(text.encode()).decode()} if "stream" in kind else {"text": text}
    return {"request": request, "response": {"status": 200, "content": {"mimeType": kind, **packed}}}
