"""SOCKS5 (RFC 1928, log-in by RFC 1929): what to say to a proxy, and the meaning of its answers. No I/O; used by both
lanes.

By hand, because socksio takes a message for whole that came in one read, and python-socks without I/O is not public.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Final, NoReturn

from connectors.errors import ConnectFailed

VERSION: Final = 5
NO_LOG_IN, BY_PASSWORD, NONE_FITS = 0, 2, 0xFF
CONNECT: Final = 1
IPV4, NAME, IPV6 = 1, 3, 4
_ADDRESS_BYTES: Final = {IPV4: 4, IPV6: 16}
LONGEST: Final = 255
_REPLIES: Final = {
    1: ("it failed", "look at the proxy's log"),
    2: ("it does not let this host or port through", "allow it there, or name the host in proxy.no_proxy"),
    3: ("the target's network is unreachable", "check the target's host and port"),
    4: ("the target's host is unreachable", "check the target's host and port"),
    5: ("the target refused the connection", "start the target, or check host and port"),
    6: ("the connection to the target timed out on the way", "check the target's host and port"),
    7: ("it makes no connections (CONNECT)", "use another proxy"),
    8: ("it does not take this kind of address", "use socks5h instead of socks5, or the other way round"),
}
_LOG_IN_ADVICE: Final = "set the secrets proxy_user and proxy_password to what the proxy accepts"


class SocksTunnel:
    """A tunnel to `host`, a name or an address. `request` is to be sent first, and after each `feed` what `take` gives;
    `rest`: what came behind the tunnel's opening, which is the target's. Raises ConnectFailed (proxy_refused)."""

    def __init__(self, proxy_name: str, host: str, port: int, user: str = "", password: str = "") -> None:
        self._proxy_name = proxy_name
        self._log_in = b""
        if user or password:
            self._log_in = b"\x01" + self._counted(user, "user") + self._counted(password, "password")
        self._connect = struct.pack("!BBB", VERSION, CONNECT, 0) + self._address(host) + struct.pack("!H", port)
        methods = bytes((NO_LOG_IN, BY_PASSWORD)) if self._log_in else bytes((NO_LOG_IN,))
        self.request = bytes((VERSION, len(methods))) + methods
        self.rest = b""
        self._unsent = b""
        self._step = self._method

    def feed(self, data: bytes) -> bool:
        """Whether the tunnel is open. `data` in any split."""
        if not data:
            raise self._refused("it closed before the tunnel was open")
        self.rest += data
        while (step := self._step()) is not None:
            if step:
                return True
        return False

    def take(self) -> bytes:
        """What is to be sent now."""
        unsent, self._unsent = self._unsent, b""
        return unsent

    def broken(self, exc: OSError) -> NoReturn:
        """The connection to the proxy broke."""
        raise self._refused(f"{exc.strerror or exc}, before the tunnel was open") from exc

    # --- one answer after the other: None while it is not whole, True when the tunnel is open ----------------------

    def _method(self) -> bool | None:
        self._check_version()
        if len(self.rest) < 2:
            return None
        method, self.rest = self.rest[1], self.rest[2:]
        if method == BY_PASSWORD and self._log_in:
            self._unsent, self._step = self._log_in, self._logged_in
        elif method == NO_LOG_IN:
            self._unsent, self._step = self._connect, self._reply
        elif method == NONE_FITS:
            raise self._refused("it accepts no log-in that we have", _LOG_IN_ADVICE)
        else:
            raise self._refused(f"it chose the log-in {method}, which was not offered")
        return False

    def _logged_in(self) -> bool | None:
        if len(self.rest) < 2:
            return None
        status, self.rest = self.rest[1], self.rest[2:]
        if status:
            raise self._refused("it refuses this user and password", _LOG_IN_ADVICE)
        self._unsent, self._step = self._connect, self._reply
        return False

    def _reply(self) -> bool | None:
        self._check_version()
        if len(self.rest) >= 2 and self.rest[1]:
            what, advice = _REPLIES.get(self.rest[1], (f"it answers with the code {self.rest[1]}", ""))
            raise self._refused(what, advice)
        if len(self.rest) < 5:
            return None
        kind = self.rest[3]
        if kind != NAME and kind not in _ADDRESS_BYTES:
            raise self._refused(f"its answer has an address of the unknown kind {kind}")
        size = 4 + (1 + self.rest[4] if kind == NAME else _ADDRESS_BYTES[kind]) + 2
        if len(self.rest) < size:
            return None
        self.rest = self.rest[size:]
        return True

    def _check_version(self) -> None:
        if self.rest and self.rest[0] != VERSION:
            raise self._refused(f"it does not speak SOCKS5: {self.rest[:40]!r}", "check the target's proxy.url")

    def _address(self, host: str) -> bytes:
        try:
            address = ip_address(host)
        except ValueError:
            return bytes((NAME,)) + self._counted(host, "host")
        return bytes((IPV4 if address.version == 4 else IPV6,)) + address.packed

    def _counted(self, text: str, what: str) -> bytes:
        data = text.encode()
        if len(data) > LONGEST:
            raise self._refused(f"SOCKS5 takes no {what} of more than {LONGEST} bytes")
        return bytes((len(data),)) + data

    def _refused(self, what: str, advice: str = "") -> ConnectFailed:
        return ConnectFailed("proxy_refused", f"{self._proxy_name}: {what}", advice or "look at the proxy's log")
