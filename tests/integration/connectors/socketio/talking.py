"""Targets with Talksy's preset, and what the tests read of turns."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.spec import TargetSpec, build_target_spec
from tests.integration.connectors.lanes import LANES, ROOMY, Turn

lanes = pytest.mark.parametrize("lane", LANES)


def talksy(url: str, *, stream: bool = True, secrets: dict[str, str] | None = None, **overrides: Any) -> TargetSpec:
    overrides = {"timeouts": ROOMY} | overrides
    return build_target_spec(
        name="t", url=url, preset="talksy", stream=stream, secrets=secrets or {}, overrides=overrides
    )


def said(turns: list[Turn]) -> list[tuple[str | None, str, int, int | None, int | None]]:
    return [(t.code, t.text, t.timeline.chunks, t.timeline.tokens_in, t.timeline.tokens_out) for t in turns]
