"""The endpoint of an HTTP connection: the target's address, that of a handshake step, or that of a redirect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from connectors.http.proxy import NO_PROXY, Proxy, ProxyRule, proxy_rule
from connectors.mapping.request import Via
from connectors.request_parts import check_authority
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
        proxy = None if self.tls else self.proxy
        return None if proxy is None else Via(self.origin, proxy.headers)

    def at(self, scheme: str, netloc: str) -> Endpoint:
        """Another place with the same limits, times, certificates and proxy. `netloc` has no user or password, and a
        port that is valid if it has one."""
        parts = urlsplit(f"{scheme}://{netloc}")
        tls = scheme in TLS_SCHEMES
        port, header = parts.port or SCHEMES[scheme], check_authority(netloc)
        return replace(self, host=parts.hostname or "", port=port, tls=tls, host_header=header)


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
        proxies=proxy_rule(spec.proxy, spec.secrets),
    )
