"""Codecs of a target: what depends on nothing else is made once, and with secrets only where they may go."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.codecs import make_codec
from connectors.errors import BadRequest, TurnError
from connectors.opaque.tokens import MARK
from connectors.spec import SpecError, build_target_spec
from connectors.target import CompiledTarget

KEY, OTHER = "00" * 16, "11" * 16


def target(codec: str, options: dict[str, Any], origins: list[str] | None = None) -> CompiledTarget:
    spec = build_target_spec(
        name="bot",
        url="http://bot.example",
        preset="generic-json",
        overrides={"codec": {"response": [{"name": codec, "options": options}]}},
        secrets={"key": KEY},
        secret_origins=origins,
    )
    return CompiledTarget(spec)


@pytest.mark.parametrize(("key", "is_secret"), [(KEY, False), ("{{ secret.key }}", True)])
def test_what_depends_on_nothing_else_is_made_once(key: str, is_secret: bool) -> None:
    made = target("aes-gcm", {"key": key})
    codecs = made.codecs({})
    assert codecs is not None
    assert made.codecs({}) is codecs
    assert (MARK in codecs.keys, bool(codecs.keys)) == (is_secret, is_secret)


def test_what_depends_on_a_conversation_is_made_for_it() -> None:
    made = target("aes-gcm", {"key": "{{ saved.key }}"})
    one, other = made.codecs({"saved": {"key": KEY}}), made.codecs({"saved": {"key": OTHER}})
    assert one is not None and other is not None
    packed = make_codec("aes-gcm", {"key": OTHER}).encode(b"text")
    assert other.decode(packed) == b"text"
    with pytest.raises(TurnError):
        one.decode(packed)
    with pytest.raises(BadRequest, match="must have 16 or 24 or 32 bytes"):
        made.codecs({"saved": {"key": "00"}})


def test_what_is_wrong_with_every_conversation_is_refused_before() -> None:
    with pytest.raises(SpecError, match="must have 16 or 24 or 32 bytes"):
        target("aes-gcm", {"key": "00"})


def test_a_key_that_is_withheld_is_an_error_of_each_turn() -> None:
    made = target("aes-gcm", {"key": "{{ secret.key }}"}, origins=[])
    for _ in range(2):
        with pytest.raises(BadRequest) as refused:
            made.codecs({})
        assert refused.value.code == "secret_withheld"
