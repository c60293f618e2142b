"""Whatever the templates of metadata give: nothing is sent, or one call with the metadata that were meant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.grpc.channel import UNSENT
from connectors.registry import Lane
from connectors.spec import SpecError, TargetSpec
from tests.integration.connectors.grpc.test_grpc import unary
from tests.integration.connectors.lanes import LANES, Client
from tests.support.servers.grpc_target import Target, grpc_target

ODD = st.text(st.characters() | st.sampled_from("\r\n\0\t :,-.aZ"), max_size=12)
FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def peer() -> Iterator[Target]:
    with grpc_target(Target()) as target:
        yield target


def seen(peer: Target, lane: Lane, spec: TargetSpec, text: str = "hello") -> dict[str, str | bytes] | None:
    """The metadata of the one call; None if there was none."""
    peer.metadata.clear()
    with Client(lane, spec) as client:
        code = client.say(text).code
    assert len(peer.metadata) <= 1
    assert code == (None if peer.metadata else "request_invalid")
    return peer.metadata[0] if peer.metadata else None


@pytest.mark.parametrize("lane", LANES)
@given(text=ODD)
@FEW
def test_any_value_of_metadata(peer: Target, lane: Lane, text: str) -> None:
    spec = unary(peer.url, request={"headers": {"X-T": "{{ vars.t or message }}"}, "body": {"message": "hello"}})
    found = seen(peer, lane, spec, text)
    if found is None:
        assert not (text.strip(" \t").isascii() and text.strip(" \t").isprintable())
    else:
        assert found["x-t"] == text.strip(" \t")


@pytest.mark.parametrize("lane", LANES)
@given(name=ODD)
@example(name="HOST")
@FEW
def test_any_name_of_metadata(peer: Target, lane: Lane, name: str) -> None:
    try:
        spec = unary(peer.url, request={"headers": {name: "1"}})
    except SpecError:
        return
    found = seen(peer, lane, spec)
    assert found is not None
    assert name.lower() in found or name.lower() in UNSENT  # which the library writes itself, or leaves out


@pytest.mark.parametrize(
    "name", ["content-length", "Connection", "Upgrade", "transfer-encoding", ":path", "a b", "a\r\nb", "a!"]
)
def test_names_that_are_none_in_http_2_are_refused_with_the_target(name: str) -> None:
    with pytest.raises(SpecError, match="header"):
        unary("grpc://127.0.0.1:9", request={"headers": {name: "close"}})


@pytest.mark.parametrize("lane", LANES)
def test_each_turn_has_its_own_metadata_and_secrets_arrive_in_it_and_in_the_message(lane: Lane) -> None:
    headers = {"x-key": "{{ secret.key }}", "x-said": "{{ message }}"}
    with grpc_target(Target()) as target:
        spec = unary(target.url, request={"headers": headers, "body": {"message": "{{ secret.key ~ message }}"}})
        spec = TargetSpec.model_validate(spec.wire_dict() | {"secrets": {"key": "planted-4711"}})
        with Client(lane, spec) as client:
            assert [turn.code for turn in client.say_all(["one", "two"])] == [None, None]
    assert target.asked == ["planted-4711one", "planted-4711two"]
    assert [(call["x-key"], call["x-said"]) for call in target.metadata] == [
        ("planted-4711", "one"),
        ("planted-4711", "two"),
    ]
