"""A plain client of the mock on `requests`, and what it makes of a stream."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass
class Streamed:
    """All events of one stream with their arrival (CLOCK_MONOTONIC ns)."""

    events: list[dict[str, Any]] = field(default_factory=list)
    arrivals_ns: list[int] = field(default_factory=list)
    done: bool = False

    def texts(self, key: str = "content") -> list[str]:
        """Non-empty deltas of an OpenAI stream."""
        deltas = [event["choices"][0]["delta"] for event in self.events if event["choices"]]
        return [delta[key] for delta in deltas if delta.get(key)]


class Client:
    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.http.close()

    def reset(self) -> None:
        assert self.http.post(f"{self.url}/__stats/reset", timeout=10).status_code == 204

    def stats(self) -> dict[str, Any]:
        counted: dict[str, Any] = self.http.get(f"{self.url}/__stats", timeout=10).json()
        return counted

    def post(self, path: str, body: Any, **mock: object) -> requests.Response:
        """`mock`: options by their names, sent as `X-Mock-` headers."""
        headers = {f"X-Mock-{name.replace('_', '-')}": str(value) for name, value in mock.items()}
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.http.post(self.url + path, data=data, headers=headers, timeout=10, stream=True)

    def chat(
        self, message: str = "Hello there", *, more: dict[str, Any] | None = None, **mock: object
    ) -> requests.Response:
        """A plain chat completion."""
        body = {"model": "m", "messages": [{"role": "user", "content": message}], **(more or {})}
        return self.post("/v1/chat/completions", body, **mock)

    def say(self, message: str = "Hello there", *, more: dict[str, Any] | None = None, **mock: object) -> str:
        """The text of a plain chat completion."""
        answer = self.chat(message, more=more, **mock)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])

    def stream(self, message: str = "Hello there", *, more: dict[str, Any] | None = None, **mock: object) -> Streamed:
        """A streamed chat completion."""
        return read_stream(self.chat(message, more={"stream": True, **(more or {})}, **mock))


def read_stream(answer: requests.Response) -> Streamed:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = Streamed()
    for line in answer.iter_lines(chunk_size=None):
        if not line:
            continue
        assert line.startswith(b"data: ") and not found.done
        if line == b"data: [DONE]":
            found.done = True
        else:
            found.arrivals_ns.append(time.monotonic_ns())
            found.events.append(json.loads(line[6:]))
    return found
