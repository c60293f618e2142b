"""The token endpoint of an authorization server for service accounts, by Authlib (RFC 7523), which checks issuer,
audience, times and signature of an assertion."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerGrant
from joserfc.jwk import ECKey, OctKey, RSAKey

Key = RSAKey | ECKey | OctKey


class _Account(ClientMixin):
    """`key` is the public one."""

    def __init__(self, key: Key) -> None:
        self.key = key

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == JWTBearerGrant.GRANT_TYPE)

    def get_allowed_scope(self, _scope: str) -> str:
        return ""


class TokenServer(AuthorizationServer):
    """`accounts`: public keys by issuer. `expires_s`: lifetime of a token. `issued` holds all tokens."""

    def __init__(self, accounts: dict[str, Key], audience: str, expires_s: float) -> None:
        super().__init__()
        self.issued: list[str] = []

        class Grant(JWTBearerGrant):
            def resolve_issuer_client(self, issuer: str) -> _Account | None:
                return _Account(accounts[issuer]) if issuer in accounts else None

            def resolve_client_public_key(self, client: _Account) -> Key:
                return client.key

            def get_audiences(self) -> list[str]:
                return [audience]

        self.register_grant(Grant)
        made = BearerTokenGenerator(self._new_token, None, lambda *_: expires_s)
        self.register_token_generator("default", made)

    def _new_token(self, *_args: object, **_more: object) -> str:
        self.issued.append(f"token-{len(self.issued) + 1}")
        return self.issued[-1]

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        pass

    def create_oauth2_request(self, request: bytes) -> OAuth2Request:
        """Of a form. Authlib insists on https, which a test does without."""
        form = dict(parse_qsl(request.decode()))
        made = OAuth2Request("POST", "https://127.0.0.1/token")
        made.payload, made._body = BasicOAuth2Payload(form), form
        return made

    def handle_response(self, status: int, body: Any, _headers: Any) -> tuple[int, bytes]:
        return status, json.dumps(body).encode()

    def send_signal(self, *_args: object, **_more: object) -> None:
        pass

    def answer(self, form: bytes) -> tuple[int, bytes]:
        """Status and body."""
        answered: tuple[int, bytes] = self.create_token_response(form)
        return answered
