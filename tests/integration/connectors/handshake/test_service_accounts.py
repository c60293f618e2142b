"""Tokens that an authorization server of somebody else's library gives for an assertion that we sign, on both lanes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, OctKey, RSAKey

from connectors.registry import Lane
from connectors.security.vault import redactor_of
from connectors.spec import TargetSpec, load_preset
from connectors.target import CompiledTarget
from targets.probe import probe
from tests.hostile import http
from tests.hostile.table import JSON_TYPE, whole
from tests.integration.connectors.handshake.steps import SAY, lanes
from tests.integration.connectors.lanes import Client, make_spec
from tests.integration.connectors.scripted import Asked, Scripted, scripted
from tests.support.servers.token_server import Key, TokenServer

ISSUER = "load@project.example"
SHARED = "a shared secret of more than thirty-two characters"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


RSA, OTHER, EC = (
    pem(key)
    for key in (
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP256R1()),
    )
)
FILE = {"type": "service_account", "client_email": ISSUER, "private_key_id": "k1", "private_key": RSA}
PUBLIC: dict[str, Key] = {
    "RS256": RSAKey.import_key(RSAKey.import_key(RSA).as_dict(private=False)),
    "ES256": ECKey.import_key(ECKey.import_key(EC).as_dict(private=False)),
    "HS256": OctKey.import_key(SHARED),
}


class Bot(NamedTuple):
    """A chatbot that takes the tokens that its `tokens` have issued; both are one server."""

    here: Scripted
    tokens: TokenServer

    @property
    def assertions(self) -> list[bytes]:
        return [request.body for request in self.here.requests if request.path == "/token"]


@contextmanager
def bot(algorithm: str, expires_s: float = 3600) -> Iterator[Bot]:
    tokens: list[TokenServer] = []

    def answer(asked: Asked) -> bytes:
        if asked.path == "/token":
            status, body = tokens[0].answer(asked.body)
            return whole(body, JSON_TYPE, status=f"{status} Told")
        known = asked.headers.get("authorization") in {f"Bearer {token}" for token in tokens[0].issued}
        return whole(http.GOOD if known else b"{}", JSON_TYPE, status="200 OK" if known else "401 No")

    with scripted(answer) as here:
        tokens.append(TokenServer({ISSUER: PUBLIC[algorithm]}, f"{here.url}/token", expires_s))
        yield Bot(here, tokens[0])


def spec_of(url: str, key: str, **jwt: Any) -> TargetSpec:
    """With the step of the preset `vertex`."""
    step = dict(load_preset("vertex")["handshake"]["steps"][-1])
    step |= {"url": f"{url}/token", "jwt": step["jwt"] | jwt}
    spec = make_spec("http", url, handshake={"steps": [step]}, request=SAY)
    return TargetSpec.model_validate(spec.wire_dict() | {"secrets": {"service_account": key}})


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "the file of an account": ("RS256", json.dumps(FILE), {}),
    "a key": ("RS256", RSA, {"claims": {"iss": ISSUER}, "key_id": "k1"}),
    "a key in one line": ("RS256", RSA.strip().replace("\n", "\\n"), {"claims": {"iss": ISSUER}}),
    "a JWK": ("RS256", json.dumps(RSAKey.import_key(RSA).as_dict(private=True)), {"claims": {"iss": ISSUER}}),
    "a curve": ("ES256", EC, {"claims": {"iss": "{{ params.account }}"}}),
    "a shared secret": ("HS256", SHARED, {"claims": {"iss": ISSUER, "sub": None}}),
}


@lanes
@pytest.mark.parametrize("case", CASES)
def test_a_token_is_given_for_an_assertion_and_renewed_before_it_expires(lane: Lane, case: str) -> None:
    algorithm, key, jwt = CASES[case]
    with bot(algorithm, expires_s=0.3) as there:
        spec = spec_of(there.here.url, key, algorithm=algorithm, **jwt)
        spec = spec.model_copy(update={"params": {"account": ISSUER}})
        with Client(lane, spec) as client:
            first = client.say()
            client.idle(0.32)
            second = client.say()
        assert (first.code, second.code) == (None, None), first.error or second.error
        assert there.tokens.issued == ["token-1", "token-2"]
        assert there.here.requests[-1].headers["authorization"] == "Bearer token-2"
        sent = b"".join(there.here.server.requests)
        assert not [line for line in key.splitlines() if len(line) > 30 and line.encode() in sent]


@lanes
@pytest.mark.parametrize(
    ("key", "jwt", "code", "words"),
    [
        (json.dumps(FILE | {"private_key": OTHER}), {}, "http_400", "handshake.account_token: "),
        (json.dumps(FILE), {"claims": {"aud": "https://elsewhere.example"}}, "http_400", "aud"),
        ("no key at all, but a long text", {}, "request_invalid", "no key that signs with RS256"),
        ("{no key at all, but a long text", {}, "request_invalid", "no key that signs with RS256"),
        ('{"kty": "RSA"}', {}, "request_invalid", "no key that signs with RS256"),
        (EC, {}, "request_invalid", "no key that signs with RS256"),
        (RSA, {"algorithm": "ES256"}, "request_invalid", "no key that signs with ES256"),
        ("", {}, "http_401", ""),
    ],
)
def test_what_is_wrong_with_a_key_is_said_without_it(
    lane: Lane, key: str, jwt: dict[str, Any], code: str, words: str
) -> None:
    with bot("RS256") as there, Client(lane, spec_of(there.here.url, key, **jwt)) as client:
        turn = client.say()
        assert turn.code == code, turn.error
        assert turn.error is not None
        assert words in turn.error.detail
        assert "a long text" not in turn.error.told
        assert there.tokens.issued == []


@lanes
def test_a_key_signs_for_allowed_origins_only(lane: Lane) -> None:
    with bot("RS256") as there:
        spec = spec_of(there.here.url, json.dumps(FILE))
        elsewhere = ("https://elsewhere.example:443",)
        with Client(lane, spec.model_copy(update={"secret_origins": elsewhere})) as client:
            turn = client.say()
        assert turn.code == "secret_withheld", turn.error
        assert turn.error is not None
        assert "service_account" in turn.error.detail
        assert there.assertions == []


@lanes
def test_a_test_message_shows_neither_key_nor_assertion(lane: Lane) -> None:
    with bot("RS256") as there:
        found = probe(spec_of(there.here.url, json.dumps(FILE)), ["hello"], lane=lane)
        (assertion,) = there.assertions
    assert found.turns[0].error is None
    (step,) = found.turns[0].steps
    assert step.request.body.endswith("assertion=***")
    shown = json.dumps(found.as_dict())
    assert RSA.splitlines()[1] not in shown
    assert assertion.decode().rpartition("=")[2] not in shown


def echo(asked: Asked) -> bytes:
    """A web page, an error, or a redirect, with what was asked."""
    said = asked.body.decode()
    if asked.path == "/page":
        return whole(f"<form>{escape(said)}</form>".encode(), "Content-Type: text/html")
    if asked.path == "/away":
        return whole(
            b"", f"Location: {asked.headers['host'].replace('127.0.0.1', 'http://localhost')}/?{said}", status="303 X"
        )
    told = {"error": "invalid_grant", "error_description": f"bad: {said} {b64encode(said.encode()).decode()}"}
    return whole(json.dumps(told).encode(), JSON_TYPE, status="400 No")


def echoed(url: str, path: str) -> TargetSpec:
    spec = spec_of(url, json.dumps(FILE)).wire_dict()
    spec["handshake"]["steps"][0]["url"] = f"{url}{path}"
    spec["follow_redirects"] = True
    return TargetSpec.model_validate(spec | {"secrets": {"service_account": json.dumps(FILE)}})


@lanes
@pytest.mark.parametrize("path", ["/page", "/error"])
def test_a_token_that_an_answer_repeats_is_shown_and_recorded_nowhere(lane: Lane, path: str) -> None:
    with scripted(echo) as here:
        spec = echoed(here.url, path)
        found = probe(spec, ["hello"], lane=lane)
        with Client(lane, spec) as client:
            turn = client.say()
        assertion = here.requests[0].body.decode().rpartition("=")[2]
    assert found.turns[0].error is not None
    assert turn.error is not None
    assert "assertion=***" in found.turns[0].steps[0].answer
    detail = CompiledTarget(spec).redact.error(turn.error.told)
    for text in (json.dumps(found.as_dict()), detail, redactor_of(spec).error(turn.error.told)):
        for piece in (assertion.split(".")[1][:40], assertion[-40:], b64encode(assertion.encode())[70:99].decode()):
            assert piece not in text


@lanes
def test_a_token_that_an_answer_repeats_follows_no_redirect_elsewhere(lane: Lane) -> None:
    with scripted(echo) as here, Client(lane, echoed(here.url, "/away")) as client:
        turn = client.say()
    assert turn.code == "secret_withheld", turn.error
    assert [request.path for request in here.requests] == ["/away"]
