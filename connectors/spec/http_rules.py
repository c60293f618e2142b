"""What `http` of a target has no effect on, or rules out."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from connectors.request_parts import OF_CONNECTIONS
from connectors.spec.transport import HttpSpec


def check_http(
    http: HttpSpec, protocol: str, headers: Iterable[str], *, spoken: Collection[str], has_proxy: bool
) -> None:
    """`spoken`: the protocols that there are over HTTP/2; `headers`: names of the request's. Raises ValueError."""
    if http.unix_socket is not None and has_proxy:
        raise ValueError("proxy has no effect: http.unix_socket is connected to directly; remove one of them")
    if http.unix_socket is not None and protocol == "grpc":
        raise ValueError("http.unix_socket has no effect: gRPC connects to the URL's host; remove it")
    if http.version != "2":
        return
    if protocol not in spoken:
        known = ", ".join(sorted(spoken))
        raise ValueError(f"http.version: protocol {protocol} has HTTP/1.1 only; over HTTP/2 there are {known}")
    for name in headers:
        if name.lower() in OF_CONNECTIONS:
            raise ValueError(f"request.headers.{name} has no effect over HTTP/2, which has no such header")
