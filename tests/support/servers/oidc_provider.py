"""A small OpenID Connect provider, in a process of its own: python -m tests.support.servers.oidc_provider

It prints its address, signs real tokens, and keeps to the protocol: codes are used once, and only with the verifier of
their challenge. `POST /behave` makes it lie: `claims` (null: left out), `alg`, `key` ("strange": one that it does not
publish), `issuer` of the discovery, `no_token`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "burn", "a secret of the client"
KEYS: dict[str, RSAKey] = {}
"""Made by its process alone: tests import this module too, and a key takes a tenth of a second."""


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Provider(BaseHTTPRequestHandler):
    server: ThreadingHTTPServer
    codes: dict[str, dict[str, str]] = {}
    behaviour: dict[str, Any] = {}
    person: dict[str, Any] = {}

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        match path.path:
            case "/.well-known/openid-configuration":
                self._say(
                    {
                        "issuer": self.behaviour.get("issuer", self.root),
                        "authorization_endpoint": f"{self.root}/authorize",
                        "token_endpoint": f"{self.root}/token",
                        "jwks_uri": f"{self.root}/jwks",
                        "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
                    }
                )
            case "/jwks":
                self._say({"keys": [KEYS["good"].as_dict(private=False)]})
            case "/authorize":
                self._authorize({name: values[0] for name, values in parse_qs(path.query).items()})
            case _:
                self._say({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/behave":
            told = json.loads(body)
            type(self).person, type(self).behaviour = told.pop("person"), told
            self._say({})
            return
        self._token({name: values[0] for name, values in parse_qs(body).items()})

    def _authorize(self, asked: dict[str, str]) -> None:
        if asked["client_id"] != CLIENT or asked["response_type"] != "code" or asked["code_challenge_method"] != "S256":
            self._say({"error": "invalid_request"}, 400)
            return
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")
        self.end_headers()

    def _token(self, given: dict[str, str]) -> None:
        asked = self.codes.pop(given.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        challenge = b64(hashlib.sha256(given.get("code_verifier", "").encode()).digest())
        right = asked and asked["code_challenge"] == challenge and asked["redirect_uri"] == given["redirect_uri"]
        if asked is None or not right or self.headers.get("Authorization") != f"Basic {basic}":
            self._say({"error": "invalid_grant"}, 400)
            return
        answer = {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 300}
        self._say(answer if self.behaviour.get("no_token") else {**answer, "id_token": self._id_token(asked["nonce"])})

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.root, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        claims |= self.behaviour.get("claims", {})
        data = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
        match self.behaviour.get("alg", "RS256"):
            case "none":
                return f"{b64(json.dumps({'alg': 'none'}).encode())}.{b64(data)}."
            case "HS256":  # with the public key, which everybody knows
                public = OctKey.import_key(KEYS["good"].as_pem(private=False))
                return jws.serialize_compact({"alg": "HS256", "kid": "good"}, data, public, ["HS256"])
            case "cut":
                signed = self._signed(data)
                return signed[:-20] + "A" * 20
            case _:
                return self._signed(data)

    def _signed(self, data: bytes) -> str:
        key = KEYS[self.behaviour.get("key", "good")]
        return jws.serialize_compact({"alg": "RS256", "kid": "good"}, data, key, ["RS256"])

    def _say(self, what: Any, status: int = 200) -> None:
        data = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def main() -> None:
    KEYS.update({name: RSAKey.generate_key(2048, {"kid": "good"}) for name in ("good", "strange")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
