"""Signed requests over real connections, in both lanes: each is signed anew, and only those to the target itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from connectors.registry import Lane
from connectors.security.sigv4 import AwsSigner
from connectors.spec import TargetSpec
from tests.hostile import http
from tests.hostile.server import HostileServer
from tests.hostile.table import JSON_TYPE, whole
from tests.integration.connectors.lanes import LANES, Client, make_spec
from tests.integration.connectors.scripted import Asked, scripted
from tests.support.servers.http2_server import http2_script

SECRETS = {"access_key_id": "AKID", "secret_access_key": "planted-key-4711", "session_token": "planted-token-0815"}
SIGNED = {"authorization", "x-amz-date", "x-amz-security-token"}


def spec_of(url: str, **overrides: Any) -> TargetSpec:
    keys = {"access_key": "access_key_id", "secret_key": "secret_access_key", "session_token": "session_token"}
    given = {name: f"{{{{ secret.{secret} }}}}" for name, secret in keys.items()}
    signature = {"service": "bedrock", "region": "eu-central-1"} | given
    spec = make_spec("http", url, aws_signature=signature, follow_redirects=True, **overrides)
    return TargetSpec.model_validate(spec.wire_dict() | {"secrets": SECRETS})


@pytest.mark.parametrize("lane", LANES)
def test_turns_steps_and_redirects_to_the_target_are_signed_and_nothing_else_is(lane: Lane) -> None:
    def elsewhere(_asked: Asked) -> bytes:
        return whole(http.GOOD)

    with scripted(elsewhere) as other:

        def answer(asked: Asked) -> bytes:
            places = {"/chat/completions": "/moved", "/moved": f"{other.url}/away"}
            if (place := places.get(asked.path)) is not None:
                return whole(b"{}", JSON_TYPE, f"Location: {place}", status="307 Moved")
            return whole(b"{}")

        with scripted(answer) as here:
            steps = [{"name": "own", "url": "/own"}, {"name": "foreign", "url": f"{other.url}/step"}]
            spec = spec_of(here.url, handshake={"steps": steps})
            with Client(lane, spec) as client:
                turns = [client.say(), client.say()]
        assert [turn.code for turn in turns] == [None, None]
        assert {tuple(sorted(SIGNED & request.headers.keys())) for request in other.requests} == {()}
        assert [request.path for request in other.requests] == ["/step", "/away", "/away"]
    own = here.requests
    assert [request.path for request in own] == ["/own", *["/chat/completions", "/moved"] * 2]
    assert all(request.headers.keys() >= SIGNED for request in own)
    by_path = {request.path: request.headers["authorization"].rpartition("=")[2] for request in own}
    assert len(set(by_path.values())) == len(by_path)
    raw = b"".join((*here.server.requests, *other.server.requests))
    assert b"planted-key" not in raw
    assert raw.count(b"planted-token") == len(own)


@pytest.mark.parametrize("lane", LANES)
def test_what_arrives_over_http2_is_what_was_signed(lane: Lane) -> None:
    script, seen = http2_script(lambda asked: asked.answer(http.GOOD))
    with HostileServer(script) as server, Client(lane, spec_of(server.url, http={"version": "2"})) as client:
        assert [turn.code for turn in client.say_all(["one", "two"])] == [None, None]
    signer = AwsSigner("bedrock", "eu-central-1", *SECRETS.values())
    for asked in seen.asked:
        sent = dict(asked.headers)
        names = sent["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert {"content-type", "host", "x-amz-date", "x-amz-security-token"} <= {*names}
        headers = [(name, value) for name, value in ({**sent, "host": sent[":authority"]}).items() if name in names]
        when = datetime.strptime(f"{sent['x-amz-date']}+0000", "%Y%m%dT%H%M%SZ%z")
        again = signer.headers(sent[":method"], sent[":path"], headers, asked.body, when, str)
        assert dict(again)["Authorization"] == sent["authorization"]
    assert len(seen.asked) == 2
