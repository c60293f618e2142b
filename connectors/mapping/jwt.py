"""The token that a handshake step's templates have as `jwt`: a placeholder of what is signed when it is sent."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from connectors.content.decoding import dumps
from connectors.errors import BadRequest
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.templates import absent, compile_string, compile_value, value_of
from connectors.opaque.tokens import JWT, token
from connectors.spec import JwtSpec

NAME: Final = "jwt"


class JwtTemplate:
    """A JwtSpec, compiled. `url`: of the step, which is the audience unless the claims name one. Raises SpecError."""

    def __init__(self, spec: JwtSpec, where: str, url: str, fold: Context) -> None:
        import_module("connectors.security.jwt")  # here, and not while a user waits
        self._spec = spec
        self._where = f"{where}.jwt"
        self._key = compile_string(spec.key, f"{self._where}.key", fold)
        self._key_id = compile_string(spec.key_id, f"{self._where}.key_id", fold)
        claims = {"aud": url, **spec.claims} if "://" in url and "{{" not in url else spec.claims
        self._claims = compile_value(claims, f"{self._where}.claims", fold)

    def render(self, context: Context) -> str:
        """Raises BadRequest."""
        key, key_id = value_of(self._key, context), value_of(self._key_id, context)
        if key is MISSING or not key:
            raise absent(f"{self._where}.key", self._spec.key, context)
        described = {
            "where": self._where,
            "algorithm": self._spec.algorithm,
            "lifetime_s": self._spec.lifetime_s,
            "key": key,
            "key_id": "" if key_id is MISSING or key_id is None else str(key_id),
            "claims": {name: claim for name, claim in value_of(self._claims, context).items() if claim is not None},
        }
        try:
            return token(JWT, dumps(described).decode())
        except (TypeError, ValueError) as exc:
            raise BadRequest("request_invalid", f"{self._where}.claims: {exc}") from exc
