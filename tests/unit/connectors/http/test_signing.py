"""Requests that are signed as they are sent: by whom, with which keys, and where a target must not say so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.content.styles import WHOLE
from connectors.errors import BadRequest
from connectors.http import signing
from connectors.mapping.request import RenderedRequest
from connectors.reference.http.exchange import HttpExchange
from connectors.spec import SpecError, TargetSpec, build_target_spec
from connectors.target import CompiledTarget
from connectors.wire.http.http2.request import http2_encoder

SECRETS = {"access_key_id": "AKID", "secret_access_key": " s3cret ", "session_token": "temporary"}
URL = "https://bedrock-runtime.eu-central-1.amazonaws.com"
ASKED = RenderedRequest("POST", "/model/a%3A0/converse", (("X-Amz-Trace", "1"),), b'{"a":"b"}')


class Clock(datetime):
    @classmethod
    def now(cls, _zone: Any = None) -> Clock:
        return cls(2026, 11, 30, 20, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "datetime", Clock)


def spec(url: str = URL, secrets: dict[str, str] | None = None, **more: Any) -> TargetSpec:
    given = SECRETS if secrets is None else secrets
    return build_target_spec(name="t", url=url, preset="bedrock-converse", secrets=given, **more)


def over_http1(target: CompiledTarget, request: RenderedRequest) -> dict[str, str]:
    head = signing.request_encoder(target.endpoint, WHOLE).encode(request).partition(b"\r\n\r\n")[0].decode()
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}


def over_http2(target: CompiledTarget, request: RenderedRequest) -> dict[str, str]:
    pairs, _ = http2_encoder(target.endpoint, WHOLE).encode(request)
    found = {name.decode(): value.decode() for name, value in pairs}
    return {**found, "host": found[":authority"]}


def by_requests(target: CompiledTarget, request: RenderedRequest) -> dict[str, str]:
    prepared = HttpExchange(target.endpoint, allow_private=True)._prepare(request)
    values: dict[str, Any] = {name.lower(): value for name, value in prepared.headers.items()}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def test_all_lanes_and_versions_sign_alike_with_the_region_of_the_host() -> None:
    target = CompiledTarget(spec())
    found = [ask(target, ASKED) for ask in (over_http1, over_http2, by_requests)]
    names = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-trace", "host", "content-type")
    assert found[0].items() >= {name: found[1][name] for name in names}.items()
    assert found[2].items() >= {name: found[1][name] for name in names}.items()
    said = found[0]["authorization"]
    assert "Credential=AKID/20261130/eu-central-1/bedrock/aws4_request" in said
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-trace" in said
    assert [one["content-length"] for one in found] == ["9"] * 3


def test_the_secret_key_is_in_nothing_that_is_sent_or_stored() -> None:
    target = CompiledTarget(spec())
    sent = signing.request_encoder(target.endpoint, WHOLE).encode(ASKED)
    assert b"s3cret" not in sent
    assert "s3cret" not in repr(target.endpoint)
    assert "s3cret" not in repr(target.endpoint.signer)
    assert "s3cret" not in str(spec().frozen_dict())


def test_a_request_with_an_authorization_of_its_own_and_one_elsewhere_are_not_signed() -> None:
    target = CompiledTarget(spec(secrets={**SECRETS, "api_key": "bearer-key"}))
    own = target.render({"message": "", "messages": [], "session": {}, "saved": {}})
    found = over_http1(target, own)
    assert found["authorization"] == "Bearer bearer-key"
    assert "x-amz-date" not in found
    for other in ("https://login.example", "http://bedrock-runtime.eu-central-1.amazonaws.com"):
        assert target.endpoint.at(*other.split("://")).signer is None
    assert target.endpoint.at(*URL.split("://")).signer is not None


def test_without_keys_nothing_is_signed_and_half_of_them_is_an_error() -> None:
    assert CompiledTarget(spec(secrets={})).endpoint.signer is None
    with pytest.raises(SpecError, match=r"aws_signature.secret_key: .* is not set, but the access key is"):
        CompiledTarget(spec(secrets={"access_key_id": "AKID"}))
    with pytest.raises(SpecError, match=r"params.region }}' has no value, and the host .* names no region"):
        CompiledTarget(spec("http://127.0.0.1:9"))
    given = CompiledTarget(spec("http://127.0.0.1:9", params={"region": "us-east-1"})).endpoint.signer
    assert given is not None
    assert given.region == "us-east-1"
    with pytest.raises(SpecError, match="may name params and secrets only"):
        CompiledTarget(spec(overrides={"aws_signature": {"region": "{{ session.id }}"}}))


def test_keys_go_to_allowed_origins_only() -> None:
    there = spec().model_copy(update={"secret_origins": ("https://elsewhere.example:443",)})
    target = CompiledTarget(there)
    for ask in (over_http1, over_http2, by_requests):
        with pytest.raises(BadRequest) as withheld:
            ask(target, ASKED)
        assert withheld.value.code == "secret_withheld"


def test_a_key_with_a_line_break_in_it_is_refused() -> None:
    target = CompiledTarget(spec(secrets={**SECRETS, "secret_access_key": "s3cret\n"}))
    for ask in (over_http1, over_http2, by_requests):
        with pytest.raises(BadRequest, match="line break"):
            ask(target, ASKED)


KEY = "{{ secret.key }}"


@pytest.mark.parametrize(
    ("signature", "more", "why"),
    [
        ({"secret_key": "in clear"}, {}, "secret_key: name a secret"),
        ({"secret_key": f"a{KEY}"}, {}, "secret_key: a key that signs is a secret as it is"),
        ({"session_token": "{{ secret.key | b64encode }}"}, {}, "session_token: a key that signs"),
        ({"region": KEY}, {}, "region: a secret cannot stand in the name of a region"),
        ({"service": "a/b"}, {}, "service"),
        (
            {},
            {"protocol": "websocket"},
            "requests of protocol websocket are not signed; those of aws",
        ),
    ],
)
def test_what_cannot_sign_is_refused(signature: dict[str, str], more: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match="aws_signature") as refused:
        spec(overrides={"aws_signature": {"service": "lex", **signature}, **more})
    assert why in str(refused.value)
