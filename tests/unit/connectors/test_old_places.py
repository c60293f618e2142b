"""Connectors of users' own that were written before the rooms: they load, and are told what to change."""

from __future__ import annotations

import importlib
import sys

import pytest

from connectors import target
from connectors.base import BaseConnector
from connectors.mapping.request import RenderedRequest
from connectors.security import guard


def test_the_guard_is_found_where_it_was() -> None:
    sys.modules.pop("connectors.guard", None)
    with pytest.warns(FutureWarning, match=r"connectors\.security\.guard"):
        old = importlib.import_module("connectors.guard")
    assert (old.resolve, old.resolve_async) == (guard.resolve, guard.resolve_async)


def test_what_mapping_had_is_found_there() -> None:
    mapping = importlib.import_module("connectors.mapping")
    with pytest.warns(FutureWarning, match=r"connectors\.target"):
        assert mapping.CompiledTarget is target.CompiledTarget
    with pytest.warns(FutureWarning, match=r"connectors\.mapping\.request"):
        assert mapping.RenderedRequest is RenderedRequest
    with pytest.raises(AttributeError):
        _ = mapping.Nothing


def test_a_connector_may_still_say_that_it_goes_on() -> None:
    with pytest.warns(FutureWarning, match="persistent"):

        class Old(BaseConnector):
            goes_on = True

    assert Old.persistent
    assert not BaseConnector.persistent
