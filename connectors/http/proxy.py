"""Proxies: what to say to them, and the meaning of an HTTP proxy's answer. No I/O; used by both lanes.

Plain HTTP goes to an HTTP proxy as requests that name the whole URL; all else goes through a tunnel (CONNECT, or what
SOCKS5 has).
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple, NoReturn, Protocol
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.errors import BadRequest, ConnectFailed, TurnError
from connectors.http.socks import SocksTunnel
from connectors.network.failures import tls_failure
from connectors.origins import PROXY_SCHEMES, origin_at
from connectors.request_parts import check_authority, encoded_head
from connectors.security.tls import tls_context
from connectors.security.vault import withheld
from connectors.spec import ProxySpec, TlsSpec

USER, PASSWORD = "proxy_user", "proxy_password"
"""Names of the secrets for a proxy."""
STEP: Final = "proxy"
"""The step of connecting that waits for TLS with the proxy, and for the tunnel."""
ANSWER_BYTES: Final = 16 * 1024
_ADVICE: Final = {
    403: "the proxy does not let this host or port through: allow it there, or name the host in proxy.no_proxy",
    407: "set the secrets proxy_user and proxy_password to what the proxy accepts",
    **dict.fromkeys((500, 502, 503, 504), "the proxy does not reach the target: check the target's host and port"),
}


class Tunnel(Protocol):
    """How a tunnel is opened: send `request`, then `feed` what comes and send what `take` gives, until it is open.
    `rest`: what came behind that, which is the target's. Raises ConnectFailed."""

    request: bytes
    rest: bytes

    def feed(self, data: bytes) -> bool:
        """Whether it is open now."""

    def take(self) -> bytes: ...

    def broken(self, exc: OSError) -> NoReturn:
        """The connection to the proxy broke."""


class Proxy(NamedTuple):
    """`user` and `password` may be empty. `withheld`: it must not get them. `tls`: None where it speaks none."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""
    withheld: TurnError | None = None
    tls: TlsSpec | None = None

    @property
    def is_socks(self) -> bool:
        return self.scheme not in {"http", "https"}

    @property
    def origin(self) -> str:
        return origin_at(self.host, self.port, tls=self.tls is not None)

    @property
    def resolves(self) -> bool:
        """Whether the proxy itself looks up the target's name."""
        return self.scheme != "socks5"

    @property
    def name(self) -> str:
        return f"the proxy {self.host}:{self.port}"

    @property
    def headers(self) -> list[tuple[str, str]]:
        if not (self.user or self.password):
            return []
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return [("Proxy-Authorization", f"Basic {pair}")]

    def tunnel(self, host: str, port: int) -> Tunnel:
        """To the target. Raises ConnectFailed."""
        if self.is_socks:
            return SocksTunnel(self.name, host, port, self.user, self.password)
        return TunnelAnswer(self, self._connect_request(host, port))

    def _connect_request(self, host: str, port: int) -> bytes:
        there = check_authority(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        headers = [("Host", there), ("User-Agent", "token-burn"), *self.headers]
        return encoded_head(f"CONNECT {there} HTTP/1.1", headers) + b"\r\n"

    def failed(self, exc: ConnectFailed) -> ConnectFailed:
        """`exc`, which occurred while connecting to the proxy itself."""
        return ConnectFailed(exc.code, f"{self.name}: {exc.detail}", "check the target's proxy.url, or that it is up")

    def tls_context(self) -> ssl.SSLContext:
        """Raises ConnectFailed if a file of it is unusable."""
        try:
            return tls_context(self.tls or TlsSpec())
        except ConnectFailed as exc:
            raise ConnectFailed(exc.code, f"{self.name}: proxy.{exc.detail}", exc.advice) from exc

    def tls_failed(self, exc: Exception) -> ConnectFailed:
        """TLS with the proxy itself failed."""
        advice = "check that proxy.url has the proxy's own name, and TLS there, or give its CA file (proxy.tls.ca_file)"
        return ConnectFailed("tls_failed", f"{self.name}: {tls_failure(exc).detail}", advice)


class ProxyRule(NamedTuple):
    """Which hosts are reached through a proxy: all but those that `no_proxy` names."""

    proxy: Proxy | None
    no_proxy: tuple[str, ...] = ()

    def before(self, host: str) -> Proxy | None:
        """The proxy for `host`; None: it is reached directly. Raises BadRequest (secret_withheld)."""
        if (proxy := self.named_for(host)) is not None and (why := proxy.withheld) is not None:
            raise BadRequest(why.code, why.detail, why.advice)
        return proxy

    def named_for(self, host: str) -> Proxy | None:
        """The same, whether or not it may get what it needs."""
        return None if self.proxy is None or is_left_out(host, self.no_proxy) else self.proxy


NO_PROXY: Final = ProxyRule(None)


def proxy_rule(spec: ProxySpec | None, secrets: Mapping[str, SecretStr], allowed: Collection[str]) -> ProxyRule:
    """A target's, with the user and password that its secrets have. `allowed`: origins that may get them."""
    if spec is None:
        return NO_PROXY
    parts = urlsplit(spec.url)
    user, password = (secrets[name].get_secret_value() if name in secrets else "" for name in (USER, PASSWORD))
    host, port = parts.hostname or "", parts.port or PROXY_SCHEMES[parts.scheme]
    proxy = Proxy(parts.scheme, host, port, user, password, tls=spec.tls if parts.scheme == "https" else None)
    if (user or password) and proxy.origin not in allowed:
        refused = withheld([name for name in (USER, PASSWORD) if name in secrets], proxy.origin, allowed)
        proxy = proxy._replace(user="", password="", withheld=refused)
    return ProxyRule(proxy, tuple(spec.no_proxy))


def is_left_out(host: str, no_proxy: Sequence[str]) -> bool:
    """Whether one of `no_proxy` names `host`: "*", the name itself or a domain that it is in, an address, a network."""
    host = host.lower().rstrip(".")
    return any(_names(entry.strip().lower(), host) for entry in no_proxy)


def _names(entry: str, host: str) -> bool:
    if not entry:
        return False
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        domain = entry.removeprefix("*").partition(":")[0].strip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))


class TunnelAnswer:
    """A tunnel by CONNECT: takes the proxy's answer, in any split."""

    def __init__(self, proxy: Proxy, request: bytes) -> None:
        self._proxy = proxy
        self.request = request
        self._data = self.rest = b""

    def feed(self, data: bytes) -> bool:
        """Whether the tunnel is open. Raises ConnectFailed if the proxy refuses it or answers something else."""
        if not data:
            raise self._refused("it closed without an answer to CONNECT" if not self._data else "it closed half-way")
        self._data += data
        if not b"HTTP/1.".startswith(self._data[:7]):
            raise self._refused(f"it does not speak HTTP/1.1: {self._data[:40]!r}", "check the target's proxy.url")
        head, end, self.rest = self._data.partition(b"\r\n\r\n")
        if not end:
            if len(self._data) > ANSWER_BYTES:
                raise self._refused("no end of its headers")
            return False
        first = head.partition(b"\r\n")[0].decode("latin-1").split(" ", 1)[-1]
        status = int(first[:3]) if first[:3].isascii() and first[:3].isdigit() else 0
        if 200 <= status < 300:
            return True
        raise self._refused(f"it answers CONNECT with {first[:100]!r}", _ADVICE.get(status, ""))

    def take(self) -> bytes:
        return b""

    def broken(self, exc: OSError) -> NoReturn:
        raise self._refused(f"{exc.strerror or exc}, instead of an answer to CONNECT") from exc

    def _refused(self, what: str, advice: str = "") -> ConnectFailed:
        return ConnectFailed("proxy_refused", f"{self._proxy.name}: {what}", advice or "look at the proxy's log")
