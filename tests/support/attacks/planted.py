"""Secrets planted in every field of a target, and how they are recognised wherever they turn up."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, NamedTuple

FIELDS = (
    "header",
    "path",
    "query",
    "body",
    "step_header",
    "step_body",
    "step_query",
    "passphrase",
    "key",
    "url",
    "auth",
    "access_key",
    "signing_key",
    "session_token",
    "jwt_key",
)
PROTO = """
syntax = "proto3";
package echo;
message Question { string message = 1; string key = 2; string session = 3; repeated string history = 4; }
message Answer { string response = 1; }
service Chat { rpc Ask(Question) returns (Answer); }
"""
LOAD = {"kind": "closed", "users": 6, "conversations": 30}
WITNESSED = {"kind": "closed", "users": 10, "conversations": 100}
"""As many conversations as a witness needs to be sent along."""


def core(name: str) -> str:
    """The part of a secret that stays itself however it is escaped; base64 alone changes it."""
    return f"planted{hashlib.sha256(name.encode()).hexdigest()[:14]}"


def secret(name: str) -> str:
    return f"{core(name)}/+\"&<x>'=\\ {name}"


SECRETS = {name: secret(name) for name in FIELDS}


def needles() -> set[bytes]:
    """What is searched for: each core, and the base64 of it at each of the three places where it may begin."""
    found = set()
    for name in FIELDS:
        data = core(name).encode()
        found.add(data)
        found |= {base64.b64encode(b"?" * before + data)[4:-4] for before in range(3)}
    return found


NEEDLES = needles()


def holds(data: bytes | str) -> list[bytes]:
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    return [needle for needle in NEEDLES if needle in raw]


class Planted(NamedTuple):
    preset: str
    url: str
    overrides: dict[str, Any]
    stream: bool = False
    load: dict[str, Any] = LOAD


def planted(http: str, ws: str, grpc: str) -> dict[str, Planted]:
    """Targets that use the secrets, each in other fields."""
    headers = {"x-planted": "{{ secret.header }}", "Authorization": "Bearer {{ secret.header }}"}
    path = "/chat?key={{ secret.query }}&room={{ secret.path }}"
    body = {"message": "{{ message }}", "key": "{{ secret.body }}"}
    request = {"path": path, "headers": headers, "body": body}
    step = {
        "name": "token",
        "url": f"{http}/token?key={{{{ secret.step_query }}}}",
        "headers": {"x-api-key": "{{ secret.step_header }}", "x-jwt": "{{ jwt }}"},
        "jwt": {"key": "{{ secret.jwt_key }}", "algorithm": "HS256"},
        "body": {"key": "{{ secret.step_body }}"},
        "save": {"token": "token"},
    }
    saved = {**request, "headers": {"Authorization": "Bearer {{ saved.token }}"}}
    cipher = [{"name": "cryptojs-aes", "options": {"passphrase": "{{ secret.passphrase }}"}}]
    wrong = [{"name": "aes-cbc", "options": {"key": "{{ secret.key }}", "iv": "prefixed", "form": "utf8"}}]
    lost = {"handshake": {"steps": [{"name": "s", "url": "{{ saved.url }}?key={{ secret.url }}"}]}}
    asked = request | {"path": ""}
    unsigned = request | {"headers": {"x-planted": "{{ secret.header }}"}}
    keys = {"access_key": "access_key", "secret_key": "signing_key", "session_token": "session_token"}
    signature = {"service": "a", "region": "b"} | {key: f"{{{{ secret.{name} }}}}" for key, name in keys.items()}
    return {
        "plain": Planted("generic-json", http, {"request": request}, load=WITNESSED),
        "streamed": Planted("generic-json", http, {"request": unsigned, "aws_signature": signature}, stream=True),
        "handshake": Planted("generic-json", http, {"request": saved, "handshake": {"steps": [step]}}),
        "cipher": Planted("generic-json", http, {"request": request, "codec": {"request": cipher, "response": cipher}}),
        "bad key": Planted("generic-json", http, {"codec": {"request": wrong}}),
        "bad url": Planted("generic-json", http, lost),
        "websocket": Planted("generic-websocket", ws, {"request": request}),
        "nuc": Planted("nuc", ws, {"request": saved | {"method": "GET"}, "handshake": {"steps": [step]}}),
        "socketio": Planted(
            "generic-socketio",
            ws,
            {
                "request": {**request, "path": "?key={{ secret.query }}"},
                "socketio": {"namespace": "/", "auth": {"token": "{{ secret.auth }}"}},
            },
            stream=True,
        ),
        "grpc": Planted("generic-grpc", grpc, {"request": asked, "grpc": {"method": "echo.Chat/Ask", "proto": PROTO}}),
    }
