"""JSON Web Tokens, signed where their key is in clear. Loaded for the few targets that need it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

from connectors.errors import BadRequest

KEYS: Final[dict[str, type[RSAKey | ECKey | OctKey]]] = {"RS256": RSAKey, "ES256": ECKey, "HS256": OctKey}
"""By algorithm."""
ADVICE: Final = "give a private key (PEM or JWK) or the JSON file of a service account, for HS256 the shared secret"


def signed_jwt(described: dict[str, Any], opened: Callable[[str], str]) -> str:
    """`described`: what `connectors.mapping.jwt` says of one; `opened` gives its key in clear. Raises BadRequest."""
    algorithm = described["algorithm"]
    key, account = _key_in(opened(described["key"]))
    now_s = int(time.time())
    claims = {"iat": now_s, "exp": now_s + described["lifetime_s"], **described["claims"]}
    if "client_email" in account:
        claims.setdefault("iss", account["client_email"])
    head = {"alg": algorithm, "typ": "JWT"}
    if key_id := described["key_id"] or account.get("private_key_id"):
        head["kid"] = key_id
    try:
        return jwt.encode(head, claims, KEYS[algorithm].import_key(key), algorithms=[algorithm])
    except (JoseError, ValueError, TypeError, AttributeError) as exc:  # its words may quote the key
        what = f"{described['where']}: the secret is no key that signs with {algorithm} ({type(exc).__name__})"
        raise BadRequest("request_invalid", what, ADVICE) from None


def _key_in(text: str) -> tuple[Any, dict[str, Any]]:
    """The key, and what a service account's file says beside it."""
    if text.lstrip().startswith("{"):
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text, {}
        if isinstance(data.get("private_key"), str):
            return data["private_key"], {name: value for name, value in data.items() if isinstance(value, str)}
        return data, {}
    if "-----BEGIN" in text and "\n" not in text.strip():
        text = text.replace("\\n", "\n")  # one line of an environment file
    return text, {}
