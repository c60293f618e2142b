"""Somebody with a browser and a script: keeps every byte that the site answers."""

from __future__ import annotations

import re
import time
from typing import Any

import requests
import websocket

TIMEOUT_S = 40.0
SLOW_S = 10.0
"""Measured beforehand: 0.5 s at most. The machine of a test may be busy."""
seen: list[bytes] = []
"""Bodies and headers of all answers."""


class Attacker:
    def __init__(self, site: str) -> None:
        self._site = site
        self._session = requests.Session()

    def log_in(self, name: str, password: str) -> int:
        """The status of the answer: 302 means in."""
        page = self.get("/admin/login/").text
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        token = found[1] if found else ""
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
        return self.ask("POST", "/admin/login/", data=form).status_code

    def get(self, path: str) -> requests.Response:
        return self.ask("GET", path)

    def api(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.ask(method, f"/api/{path}", json=body)

    def form(self, path: str, fields: dict[str, Any]) -> requests.Response:
        return self.ask("POST", path, data={**fields, "csrfmiddlewaretoken": self._session.cookies.get("csrftoken")})

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        """No attack may stop the site for long, or break it."""
        headers = {"X-CSRFToken": self._session.cookies.get("csrftoken") or "", "Referer": self._site}
        begun = time.monotonic()
        answer = self._session.request(
            method,
            self._site + path,
            headers=headers | given.pop("headers", {}),
            timeout=TIMEOUT_S,
            allow_redirects=False,
            **given,
        )
        seen.append(answer.content + repr(answer.headers).encode())
        assert answer.status_code < 500, (method, path, answer.status_code, answer.text[:2000])
        assert time.monotonic() - begun < SLOW_S or path.endswith("/probe/"), (method, path)
        return answer

    def log_out(self) -> None:
        assert self.form("/admin/logout/", {}).status_code in {200, 302}

    def socket(self, path: str) -> websocket.WebSocket:
        cookies = "; ".join(f"{name}={value}" for name, value in self._session.cookies.items())
        address = self._site.replace("http", "ws", 1) + path
        return websocket.create_connection(address, timeout=TIMEOUT_S, cookie=cookies, origin=self._site)


def until_closed(socket: websocket.WebSocket) -> int:
    """The code with which the site ends it."""
    while True:
        opcode, data = socket.recv_data()
        seen.append(data)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big")
