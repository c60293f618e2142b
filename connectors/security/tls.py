"""TLS contexts for both lanes."""

from __future__ import annotations

import ssl
from functools import cache

from connectors.errors import ConnectFailed
from connectors.spec import TlsSpec


@cache
def tls_context(spec: TlsSpec) -> ssl.SSLContext:
    """One context for all connections of a target, on both lanes. Raises ConnectFailed if a file of it is unusable."""
    try:
        context = ssl.create_default_context(cafile=spec.ca_file)
    except OSError as exc:
        raise _unusable("ca_file", spec.ca_file, exc, "certificates") from exc
    if spec.cert_file is not None:
        try:
            context.load_cert_chain(spec.cert_file, spec.key_file)
        except OSError as exc:
            raise _unusable("cert_file", spec.cert_file, exc, "our certificate and its key") from exc
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(field: str, path: str | None, exc: OSError, what: str) -> ConnectFailed:
    advice = f"give the path of a file with {what} in PEM form, readable on this machine"
    return ConnectFailed("tls_failed", f"tls.{field} {path}: {exc.strerror or exc}", advice)
