"""SOCKS5 without a proxy: answers byte by byte, and what is refused."""

from __future__ import annotations

import pytest

from connectors.errors import ConnectFailed
from connectors.http.socks import SocksTunnel

OPEN = b"\x05\x00\x00\x03\x04name\x00\x50"


def test_answers_are_read_byte_by_byte_and_what_follows_is_kept() -> None:
    tunnel = SocksTunnel("the proxy", "::1", 80, "ada", "pw")
    assert tunnel.request == b"\x05\x02\x00\x02"
    said, opened = [], []
    for byte in b"\x05\x02" + b"\x01\x00" + OPEN:
        opened.append(tunnel.feed(bytes((byte,))))
        said.append(tunnel.take())
    assert opened == [False] * (len(opened) - 1) + [True]
    assert [data for data in said if data] == [b"\x01\x03ada\x02pw", b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50"]
    assert tunnel.rest == b""
    other = SocksTunnel("the proxy", "::1", 80)
    assert not other.feed(b"\x05\x00")
    assert other.feed(OPEN + b"of the target")
    assert other.rest == b"of the target"


@pytest.mark.parametrize("method", [1, 2])
def test_a_log_in_that_was_not_offered_is_refused(method: int) -> None:
    tunnel = SocksTunnel("the proxy", "name", 80)
    with pytest.raises(ConnectFailed, match=f"the log-in {method}, which was not offered"):
        tunnel.feed(bytes((5, method)))


@pytest.mark.parametrize(("host", "user", "what"), [("h" * 256, "ada", "host"), ("name", "ü" * 128, "user")])
def test_what_does_not_fit_is_refused_before_anything_is_sent(host: str, user: str, what: str) -> None:
    with pytest.raises(ConnectFailed, match=f"no {what} of more than 255 bytes"):
        SocksTunnel("the proxy", host, 80, user, "pw")
