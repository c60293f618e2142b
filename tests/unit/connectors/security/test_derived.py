"""What is made of secrets, in the ways in which a target may repeat it."""

from __future__ import annotations

import json
from base64 import b64encode
from html import escape
from typing import get_args
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.security.derived import forms_of
from connectors.security.jwt import KEYS, signed_jwt
from connectors.security.redact import Redactor
from connectors.spec import JwtSpec

SHARED = "a shared secret of more than thirty-two characters"
SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


def key_of(algorithm: str) -> str:
    if algorithm == "HS256":
        return SHARED
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
    if algorithm == "RS256":
        made = rsa.generate_private_key(65537, 2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("key_id", ["", "k1"])
def test_a_signed_token_is_found_however_it_is_written(algorithm: str, key_id: str) -> None:
    about = {"where": "jwt", "algorithm": algorithm, "lifetime_s": 60, "key_id": key_id, "claims": {"iss": "me"}}
    token = signed_jwt({**about, "key": key_of(algorithm)}, str)
    redact = Redactor([SHARED], forms_of([algorithm], signs=False))
    written = [token, quote(token), token.replace(".", "%2E").replace("_", "%255F"), token.replace(".", "\\u002e")]
    for text in (*written, token[:90], token[: token.rindex(".") + 5]):
        assert redact(f"<a>assertion={text}&more") == "<a>assertion=***&more"
    for before in ("", "a", "ab"):
        shown = redact(f"({b64encode(f'{before}{token}'.encode()).decode()})")
        assert shown.endswith("***)")
        assert len(shown) < len("***") + 8
    assert redact("eyJ0eXAiOiJKV1QifQ.e30.x") == "eyJ0eXAiOiJKV1QifQ.e30.x"


def test_every_algorithm_of_a_target_is_known() -> None:
    assert set(get_args(JwtSpec.model_fields["algorithm"].annotation)) == set(KEYS)


def test_a_signature_of_aws_is_found_however_it_is_written() -> None:
    redact = Redactor([SHARED], forms_of([], signs=True))
    text = f"SignedHeaders=host, Signature={SIGNATURE}"
    for written in (
        text,
        quote(text),
        quote(quote(text)),
        json.dumps(text),
        escape(text),
        text.replace("=", "\\u003d"),
    ):
        assert SIGNATURE[:8] not in redact(written)
    assert redact("a Signature=here") == "a Signature=here"
