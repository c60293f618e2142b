"""The endpoint of an HTTP connection: the target's address, that of a handshake step, or that of a redirect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from connectors.http.proxy import NO_PROXY, Proxy, ProxyRule, proxy_rule
from connectors.mapping.request import RenderedRequest, Via
from connectors.opaque.tokens import MARK_BYTES
from connectors.origins import UNIX, origin_of
from connectors.request_parts import check_authority
from connectors.security.sigv4 import AwsSigner
from connectors.security.vault import Vault, vault_of
from connectors.spec import SCHEMES, TLS_SCHEMES, Limits, TargetSpec, Timeouts, TlsSpec


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`host_header` is host and port as the URL has them, in ASCII. `proxies` says which hosts are reached through a
    proxy."""

    host: str
    port: int
    tls: bool
    host_header: str
    timeouts: Timeouts
    limits: Limits
    tls_spec: TlsSpec
    proxies: ProxyRule = NO_PROXY
    vault: Vault | None = field(default=None, compare=False, repr=False)
    unix_socket: str | None = None
    """What is connected to, in the place of host and port."""
    signer: AwsSigner | None = field(default=None, compare=False, repr=False)
    """Signs what is sent here; None: nothing does."""
    streams: int = 0
    """Over HTTP/2: how many streams a connection carries at a time. 0: HTTP/1.1."""

    @property
    def origin(self) -> str:
        """Scheme, host and port, as HTTP has them."""
        return f"{'https' if self.tls else 'http'}://{self.host_header}"

    @property
    def proxy(self) -> Proxy | None:
        """None: it is reached directly."""
        return self.proxies.before(self.host)

    @property
    def via(self) -> Via | None:
        """What plain HTTP requests to a proxy have more than those to the endpoint itself."""
        proxy = None if self.tls or self.streams else self.proxy
        return None if proxy is None or proxy.is_socks else Via(self.origin, proxy.headers)

    @property
    def marker(self) -> bytes | None:
        """What a request holds that must go through `release`: a token, or anything if it must not get secrets. None:
        there are no secrets."""
        if self.vault is None:
            return None
        return MARK_BYTES if self.vault.may_go_to(self._receivers(())) else b""

    def release(self, data: bytes, headers: Iterable[tuple[str, str]] = ()) -> bytes:
        """`data`, which is sent here at once, with its secrets in clear. `headers` of the request may name another
        host. Raises BadRequest (secret_withheld)."""
        return data if self.vault is None else self.vault.release(data, self._receivers(headers))

    def release_text(self, text: str, headers: Iterable[tuple[str, str]] = ()) -> str:
        return text if self.vault is None else self.vault.release_text(text, self._receivers(headers))

    def released(self, request: RenderedRequest) -> RenderedRequest:
        """A whole request, for a library that takes it in parts."""
        if self.vault is None:
            return request
        _, path, headers, body, _ = request
        return request._replace(
            path=self.release_text(path, headers),
            headers=tuple((name, self.release_text(value, headers)) for name, value in headers),
            body=self.release(body, headers),
        )

    def _receivers(self, headers: Iterable[tuple[str, str]]) -> list[str]:
        """Everybody who gets what is sent here: a proxy too, and whoever a Host header names."""
        found = [origin_of(self.origin if self.unix_socket is None else f"{UNIX}{self.unix_socket}")]
        for name, value in headers:
            if name.lower() == "host" and value != self.host_header:
                found.append(_origin_named(value, tls=self.tls))
        if (proxy := self.proxies.named_for(self.host)) is not None:
            found.append(proxy.origin)
        return found

    def at(self, scheme: str, netloc: str) -> Endpoint:
        """Another place with the same limits, times, certificates and proxy. `netloc` has no user or password, and a
        port that is valid if it has one. Only the target's own origin is known to speak HTTP/2, to be behind a Unix
        socket, or to take signatures."""
        parts = urlsplit(f"{scheme}://{netloc}")
        tls = scheme in TLS_SCHEMES
        port, header = parts.port or SCHEMES[scheme], check_authority(netloc)
        there = replace(self, host=parts.hostname or "", port=port, tls=tls, host_header=header)
        is_same = (tls, there.host, port) == (self.tls, self.host, self.port)
        return there if is_same else replace(there, streams=0, unix_socket=None, signer=None)


def _origin_named(host: str, *, tls: bool) -> str:
    try:
        return origin_of(f"{'https' if tls else 'http'}://{host}")
    except ValueError:
        return f"the host {host[:80]!r}"


def endpoint_of(spec: TargetSpec) -> Endpoint:
    """A target's own."""
    parts = urlsplit(spec.url)
    return Endpoint(
        host=parts.hostname or "",
        port=parts.port or SCHEMES[parts.scheme],
        tls=parts.scheme in TLS_SCHEMES,
        host_header=check_authority(parts.netloc),
        timeouts=spec.timeouts,
        limits=spec.limits,
        tls_spec=spec.tls,
        proxies=proxy_rule(spec.proxy, spec.secrets, spec.allowed_origins()),
        vault=vault_of(spec),
        unix_socket=spec.http.unix_socket,
        streams=spec.http.streams(kept=spec.reuse_connections),
    )
