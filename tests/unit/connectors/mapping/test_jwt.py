"""What a handshake step may say of a token that it signs, and what is signed."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.handshake.steps import StepRequest
from connectors.spec import SpecError, build_target_spec
from connectors.target import CompiledTarget

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SECRETS = {"key": PEM, "who": "planted-who"}
PARAMS = {"who": "me", "kid": "k1"}
JWT: dict[str, Any] = {"key": "{{ secret.key }}", "algorithm": "ES256"}


def target(jwt: dict[str, Any] | None = JWT, body: Any = "{{ jwt }}", **more: Any) -> CompiledTarget:
    step = {"name": "token", "url": "https://idp.example/token", "body": body, **more}
    steps = [step if jwt is None else {**step, "jwt": jwt}]
    overrides = {"handshake": {"steps": steps}}
    url = "http://bot.example"
    return CompiledTarget(
        build_target_spec(name="t", url=url, preset="generic-json", params=PARAMS, secrets=SECRETS, overrides=overrides)
    )


def asked(found: CompiledTarget) -> StepRequest:
    handshake = found.handshake
    assert handshake is not None
    return next(handshake.requests(handshake.of_session, handshake.new_progress(), {"id": "s7"}, {}))


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_what_is_signed_is_what_is_sent() -> None:
    claims = {"sub": "{{ session.id }}", "no": None, "iss": "{{ params.who }}", "roles": ["{{ params.who }}"]}
    step = asked(target({**JWT, "claims": claims, "key_id": "{{ params.kid }}", "lifetime_s": 60}))
    assert b"." not in step.request.body, "until it is sent, it is a placeholder"
    head, said, signature = step.endpoint.released(step.request).body.decode().split(".")
    assert json.loads(decoded(head)) == {"alg": "ES256", "typ": "JWT", "kid": "k1"}
    told = json.loads(decoded(said))
    issued = told.pop("iat")
    assert time.time() - 60 < issued <= time.time()
    assert told.pop("exp") == issued + 60
    assert told == {"aud": "https://idp.example/token", "sub": "s7", "iss": "me", "roles": ["me"]}
    raw = decoded(signature)
    numbers = (int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    KEY.public_key().verify(encode_dss_signature(*numbers), f"{head}.{said}".encode(), ec.ECDSA(SHA256()))


@pytest.mark.parametrize(
    ("body", "encoding", "before"),
    [("{{ jwt }}", "form", b""), ({"a": "{{ jwt }}"}, "form", b"a="), ({"a": "x {{ jwt }}"}, "json", b'{"a":"x ')],
)
def test_it_stands_in_any_body(body: Any, encoding: str, before: bytes) -> None:
    step = asked(target(body=body, encoding=encoding))
    sent = step.endpoint.released(step.request).body
    assert sent.startswith(before + b"eyJ")
    assert sent.count(b".") == 2


def test_it_may_be_a_header() -> None:
    step = asked(target(body=None, headers={"Authorization": "Bearer {{ jwt }}"}))
    ((name, value),) = step.endpoint.released(step.request).headers
    assert (name, value[:10]) == ("Authorization", "Bearer eyJ")


@pytest.mark.parametrize(
    ("jwt", "body", "why"),
    [
        ({**JWT, "key": "in clear"}, "{{ jwt }}", "jwt.key: name a secret"),
        ({**JWT, "key": "a {{ secret.key }}"}, "{{ jwt }}", "jwt.key: a key that signs is a secret as it is"),
        ({**JWT, "claims": {"a": ["{{ secret.who }}"]}}, "{{ jwt }}", "a secret cannot stand in a claim"),
        ({**JWT, "key_id": "{{ secret.who }}"}, "{{ jwt }}", "a secret cannot stand in the id of a key"),
        ({**JWT, "algorithm": "none"}, "{{ jwt }}", "algorithm"),
        ({**JWT, "lifetime_s": 0}, "{{ jwt }}", "lifetime_s"),
        (JWT, "{{ saved.jwt_not }}", "jwt has no effect: put {{ jwt }} into"),
        (None, "{{ jwt }}", "'jwt' is not known"),
        ({**JWT, "claims": {"a": "{{ jwt }}"}}, "{{ jwt }}", "'jwt' is not known"),
    ],
)
def test_what_cannot_be_signed_is_refused(jwt: dict[str, Any] | None, body: str, why: str) -> None:
    with pytest.raises(SpecError) as refused:
        target(jwt, body)
    assert why in str(refused.value)


def test_only_the_step_knows_it() -> None:
    step = {"name": "a", "url": "/a", "body": "{{ jwt }}", "jwt": JWT}
    other = {"name": "b", "url": "/b", "body": "{{ jwt }}"}
    when = {**step, "when": "{{ jwt }}"}
    request = {"request": {"body": {"a": "{{ jwt }}"}}}
    for overrides in ({"handshake": {"steps": [step, other]}}, {"handshake": {"steps": [when]}}, request):
        spec = build_target_spec(
            name="t",
            url="http://bot.example",
            preset="generic-json",
            params=PARAMS,
            secrets=SECRETS,
            overrides=overrides,
        )
        with pytest.raises(SpecError, match="'jwt' is not known"):
            CompiledTarget(spec)
