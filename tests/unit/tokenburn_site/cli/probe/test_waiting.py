"""What `probe` says while a target is silent, and only then."""

from __future__ import annotations

import threading

import pytest

from connectors.preset_info import preset_info
from connectors.spec import TargetSpec, build_target_spec
from tokenburn_site.cli.probe import waiting


def spec(**params: str) -> TargetSpec:
    return build_target_spec(name="bot", url="ws://127.0.0.1:9/ws", preset="stomp", params=params)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "stomp is asked with --param ask=/app/chat --param answers=/user/queue/replies, which may be others here"),
        ({"answers": "/queue/1"}, "stomp is asked with --param ask=/app/chat, which may be others here"),
        ({"answers": "/queue/1", "ask": "/app/ask"}, "300 s for a turn; Ctrl-C ends the test"),
    ],
)
def test_after_a_while_it_says_what_it_waits_for(
    params: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    heard = threading.Event()

    def say(command: str, line: str) -> None:
        said.append(f"{command}: {line}")
        heard.set()

    monkeypatch.setattr(waiting, "say", say)
    with waiting.said_to_wait(spec(**params), preset_info("stomp"), after_s=0):
        assert heard.wait(10)
    assert len(said) == 1
    assert said[0].startswith("probe: still waiting for ws://127.0.0.1:9/ws: 60 s for a first byte, 300 s for a turn")
    assert says in said[0]


def test_what_ends_before_is_not_said_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "say", lambda *words: pytest.fail(str(words)))
    before = threading.active_count()
    with waiting.said_to_wait(spec(), None, after_s=3600):
        assert threading.active_count() == before + 1
    assert not [one for one in threading.enumerate() if isinstance(one, threading.Timer) and not one.finished.is_set()]
