"""Creates a channel to one address that `connectors.security.guard` allowed, with the library's implicit behaviour
(retries, DNS, proxies) disabled."""

from __future__ import annotations

import socket
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from connectors.errors import BadRequest
from connectors.grpc.library import grpc
from connectors.security.guard import Address
from connectors.security.pem_files import read_pem
from connectors.spec import TlsSpec
from connectors.target import CompiledTarget

NEVER_MS: Final = 24 * 3600 * 1000
UNSENT: Final = frozenset({"host", "content-type", "te", "user-agent", "grpc-timeout"})
"""Headers that the library sets itself and does not accept from callers."""


def target_of(address: Address) -> str:
    """A target with the address in it: the library has no name to look up."""
    if address.family == socket.AF_INET6:
        return f"ipv6:[{address.host}]:{address.port}"
    return f"ipv4:{address.host}:{address.port}"


def options(target: CompiledTarget) -> list[tuple[str, Any]]:
    """Disables automatic reconnects, retries, lookups, decompression and sharing of connections."""
    limits = target.spec.limits
    named = [("grpc.ssl_target_name_override", target.host)] if target.tls else []
    return [
        *named,
        ("grpc.default_authority", target.endpoint.host_header),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.initial_reconnect_backoff_ms", NEVER_MS),
        ("grpc.min_reconnect_backoff_ms", NEVER_MS),
        ("grpc.max_reconnect_backoff_ms", NEVER_MS),
        ("grpc.max_receive_message_length", limits.event_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", limits.header_bytes),
        ("grpc.absolute_max_metadata_size", limits.header_bytes),
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.http2.bdp_probe", 0),  # its windows grow beyond the limits of a turn, and it sends pings
        ("grpc.primary_user_agent", "token-burn"),
    ]


@lru_cache(maxsize=64)
def credentials(spec: TlsSpec) -> grpc.ChannelCredentials:
    """Always verified (`TargetSpec` holds that). Raises ConnectFailed if a file of it is unusable."""
    roots = _read("ca_file", spec.ca_file) if spec.ca_file else _system_roots()
    return grpc.ssl_channel_credentials(roots, _read("key_file", spec.key_file), _read("cert_file", spec.cert_file))


def _system_roots() -> bytes | None:
    """The system's certificates, as on the other protocols; None leaves the library its own."""
    path = ssl.get_default_verify_paths().cafile
    try:
        return Path(path).read_bytes() if path else None
    except OSError:
        return None


def _read(field: str, path: str | None) -> bytes | None:
    return None if path is None else read_pem(field, path)


def metadata(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str | bytes], ...]:
    """Rendered headers, whose names `TargetSpec` has checked, as metadata. Raises BadRequest for values that cannot
    be in them."""
    found: list[tuple[str, str | bytes]] = []
    for name, value in headers:
        key = name.lower()
        if key in UNSENT:
            continue
        if key.startswith(":") or not (value.isascii() and value.isprintable()):
            raise BadRequest("request_invalid", f"header {name!r}: gRPC metadata are printable ASCII")
        found.append((key, value.encode() if key.endswith("-bin") else value))
    return tuple(found)
