"""Connectors of one's own, by setting; what cannot be loaded says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors import registry
from connectors.spec import SpecError
from connectors.wire.http_connectors import HttpConnector


@pytest.fixture(autouse=True)
def nothing_registered() -> Iterator[None]:
    yield
    registry.register({})


def test_a_registered_connector_is_found_on_both_lanes() -> None:
    registry.register({"mine": "connectors.wire.http_connectors:HttpConnector"})
    assert registry.connector_class("mine") is registry.connector_class("mine", "reference") is HttpConnector


def test_ours_cannot_be_replaced() -> None:
    registry.register({"http": "tests.unit.connectors.test_registry:SpecError"})
    assert registry.connector_class("http") is HttpConnector


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("nowhere:Thing", "No module named"),
        ("connectors.errors:Nothing", "has no attribute"),
        ("connectors.errors", "cannot be loaded"),
        ("connectors.errors:TurnError", "not a subclass"),
    ],
)
def test_what_cannot_be_used_says_why(path: str, says: str) -> None:
    registry.register({"mine": path})
    with pytest.raises(SpecError, match=says):
        registry.connector_class("mine")


def test_an_unknown_protocol_names_the_known_ones() -> None:
    registry.register({"mine": "connectors.wire.http_connectors:HttpConnector"})
    with pytest.raises(SpecError, match=r"use one of .*http.*mine.*sse"):
        registry.connector_class("none")
