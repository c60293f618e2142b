"""TLS contexts for both lanes."""

from __future__ import annotations

import ssl
from contextlib import nullcontext
from functools import lru_cache

from connectors.security.pem_files import pem_path, unusable
from connectors.spec import TlsSpec


@lru_cache(maxsize=64)
def tls_context(spec: TlsSpec, *, http2: bool = False) -> ssl.SSLContext:
    """One context for all connections of a target, on both lanes. Raises ConnectFailed if a file of it is unusable."""
    context = _trusting(spec.ca_file)
    if spec.cert_file is not None:
        _present(context, spec.cert_file, spec.key_file)
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if http2:
        context.set_alpn_protocols(["h2"])
    return context


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    if not ca_file:
        return ssl.create_default_context()
    with pem_path("ca_file", ca_file) as path:
        try:
            return ssl.create_default_context(cafile=path)
        except OSError as exc:
            raise unusable("ca_file", ca_file) from exc


def _present(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    """`password`: a key that has one is refused; without this, the terminal would be asked for it."""
    with (
        pem_path("cert_file", cert_file) as certificate,
        pem_path("key_file", key_file) if key_file else nullcontext() as key,
    ):
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as exc:
            raise unusable("cert_file", cert_file) from exc


def _no_password() -> str:
    return ""
