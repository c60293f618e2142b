"""Time limits of the reference lane's connections while they are made."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from connectors.errors import TimedOut
from connectors.reference.transport.deadlines import DeadlineTracker
from connectors.spec import build_target_spec
from connectors.target import CompiledTarget


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_time_that_is_over_when_a_proxy_has_connected_is_a_timeout_of_the_proxy(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    spec = build_target_spec(
        name="t", url="http://127.0.0.1:8", preset="generic-json", overrides={"proxy": {"url": proxy}}
    )
    watch = DeadlineTracker(CompiledTarget(spec).endpoint, allow_private=True)
    near, far = socket.socketpair()

    def over() -> float:
        raise TimeoutError

    with closing(near), closing(far):
        monkeypatch.setattr(watch, "_first_that_answers", lambda addresses: near)
        monkeypatch.setattr(watch, "_open_tunnel", lambda sock, tunnel: None)
        monkeypatch.setattr(watch, "connect_left_s", over)
        with pytest.raises(TimedOut, match="the proxy did not connect"):
            watch.dial()
        assert near.fileno() == -1
