"""Chatbots whose answers are fetched after they were asked for: Bot Framework's Direct Line by polling, threads and
runs as OpenAI's Assistants and Azure AI Agents have them, and jobs behind a Location. For `RecordingTarget.answer`.

`told` has what each wrote down: the texts of its answers, by conversation.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.servers.recording_target import Answer, Seen


def says(value: Any, status: int = 200, *headers: tuple[str, bytes]) -> Answer:
    return Answer(status, tuple(headers), json.dumps(value).encode())


class Agent(ABC):
    """`_serve` answers a request for a path, in parts, with its query. One at a time. `looks`: how often an answer is
    asked for in vain."""

    looks = 2

    def __init__(self) -> None:
        self.told: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._numbers = count(1)

    def __call__(self, seen: Seen) -> Answer:
        url = urlsplit(seen.target)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        with self._lock:
            return self._serve(seen, url.path.strip("/").split("/"), query)

    @abstractmethod
    def _serve(self, seen: Seen, path: list[str], query: dict[str, str]) -> Answer: ...

    def _tell(self, conversation: str, said: str) -> str:
        answer = f"{len(self.told[conversation]) + 1}. to {conversation}: {said[::-1]} ü"
        self.told[conversation].append(answer)
        return answer

    def _open(self) -> str:
        name = f"c{next(self._numbers)}"
        self.told[name] = []
        return name


class DirectLine(Agent):
    """Its activities stand in one list, of the user's and the bot's own; a watermark says how far somebody has read."""

    def __init__(self) -> None:
        super().__init__()
        self._activities: dict[str, list[dict[str, Any]]] = {}
        self._waiting: dict[str, tuple[int, dict[str, Any]]] = {}

    def _serve(self, seen: Seen, path: list[str], query: dict[str, str]) -> Answer:
        if path == ["conversations"]:
            if seen.values("authorization") != [b"Bearer line-secret"]:
                return says({"error": {"code": "BadArgument", "message": "no secret"}}, 403)
            name = self._open()
            self._activities[name] = []
            return says({"conversationId": name, "token": f"token-{name}", "expires_in": 1800}, 201)
        _, name, _ = path
        if seen.values("authorization") != [f"Bearer token-{name}".encode()]:
            return says({"error": {"code": "BadArgument", "message": "wrong token"}}, 403)
        found = self._activities[name]
        if seen.method == "POST":
            activity = {**json.loads(seen.body), "id": f"{name}|{len(found):07}"}
            found += [activity, {"type": "typing", "from": {"id": "bot"}, "id": f"{name}|{len(found) + 1:07}"}]
            answer = {"type": "message", "from": {"id": "bot"}, "replyToId": activity["id"]}
            self._waiting[name] = (self.looks, {**answer, "text": self._tell(name, activity["text"])})
            return says({"id": activity["id"]})
        self._look(name, found)
        return says({"activities": found[int(query["watermark"] or "0") :], "watermark": str(len(found))})

    def _look(self, name: str, found: list[dict[str, Any]]) -> None:
        if name in self._waiting:
            left, answer = self._waiting.pop(name)
            if left:
                self._waiting[name] = (left - 1, answer)
            else:
                found.append({**answer, "id": f"{name}|{len(found):07}"})


class Threads(Agent):
    """`needs`: what each request has in its query or headers."""

    def __init__(self, needs: Callable[[Seen, dict[str, str]], bool]) -> None:
        super().__init__()
        self._needs = needs
        self._messages: dict[str, list[dict[str, Any]]] = {}
        self._runs: dict[str, tuple[str, int]] = {}

    def _serve(self, seen: Seen, path: list[str], query: dict[str, str]) -> Answer:
        if not self._needs(seen, query):
            return says({"error": {"message": "a header or a part of the query is missing", "code": None}}, 400)
        match seen.method, path:
            case "POST", ["threads"]:
                name = self._open()
                self._messages[name] = []
                return says({"id": name, "object": "thread"})
            case "POST", ["threads", name, "messages"]:
                self._messages[name].append(json.loads(seen.body))
                return says({"id": f"msg_{len(self._messages[name])}", "object": "thread.message"})
            case "POST", ["threads", name, "runs"]:
                return self._run(name, json.loads(seen.body))
            case "GET", ["threads", name, "runs", run]:
                thread, left = self._runs[run]
                self._runs[run] = (thread, left - 1)
                status = "completed" if left <= 0 else "in_progress"
                return says({"id": run, "object": "thread.run", "status": status, "last_error": None})
            case "GET", ["threads", name, "messages"]:
                text = {"type": "text", "text": {"value": self.told[name][-1], "annotations": []}}
                message = {"run_id": query["run_id"], "role": "assistant", "content": [text]}
                return says({"object": "list", "data": [message], "has_more": False})
        return says({"error": {"message": "no such address", "code": None}}, 404)

    def _run(self, name: str, asked: dict[str, Any]) -> Answer:
        run = f"run_{next(self._numbers)}"
        self._runs[run] = (name, self.looks)
        answer = self._tell(name, self._messages[name][-1]["content"])
        if not asked.get("stream"):
            return says({"id": run, "object": "thread.run", "status": "queued"})
        pieces: list[tuple[str, dict[str, Any]]] = [("thread.run.created", {"id": run, "status": "queued"})]
        for word in answer.partition(" "):
            content = [{"index": 0, "type": "text", "text": {"value": word}}]
            pieces.append(("thread.message.delta", {"object": "thread.message.delta", "delta": {"content": content}}))
        events = "".join(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in pieces)
        return Answer(200, (("Content-Type", b"text/event-stream"),), f"{events}event: done\ndata: [DONE]\n\n".encode())


class Jobs(Agent):
    """A question is accepted, and its answer is at the Location, as a document or at `stream` below it."""

    def _serve(self, seen: Seen, path: list[str], query: dict[str, str]) -> Answer:
        match seen.method, path:
            case "POST", ["v1", "ask"]:
                name = self._open()
                self._tell(name, json.loads(seen.body)["message"])
                return says({"accepted": True}, 202, ("Location", f"/v1/jobs/{name}".encode()))
            case "GET", ["v1", "jobs", name]:
                return says({"state": "done", "result": self.told[name][-1]})
            case "GET", ["v1", "jobs", name, "stream"]:
                words = self.told[name][-1].partition(" ")
                events = "".join(f"data: {json.dumps({'delta': word})}\n\n" for word in words)
                kind = ("Content-Type", b"text/event-stream")
                return Answer(200, (kind,), f"{events}data: [DONE]\n\n".encode())
        return says({"error": "no such address"}, 404)
