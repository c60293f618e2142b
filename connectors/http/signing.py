"""Requests that are signed as they are sent, when their secrets are in clear. Used by both lanes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from connectors.content.styles import Style
from connectors.http.endpoint import Endpoint
from connectors.http.headers import RequestEncoder, encode_head, encode_request, with_defaults
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.request import RenderedRequest
from connectors.mapping.templates import compile_string
from connectors.opaque.tokens import HEADER, wrapped
from connectors.security.sigv4 import AwsSigner
from connectors.spec import AwsSignatureSpec, SpecError

_REGION: Final = re.compile(r"\.([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\.")
"""In the name of a host of Amazon's."""


def signing(endpoint: Endpoint, spec: AwsSignatureSpec | None, fold: Context) -> Endpoint:
    """`endpoint`, whose requests are signed if the target says so and has the keys. Raises SpecError."""
    if spec is None or not (access_key := _text("access_key", spec.access_key, fold)):
        return endpoint
    secret_key, region = _text("secret_key", spec.secret_key, fold), _text("region", spec.region, fold)
    if not secret_key:
        raise SpecError(f"aws_signature.secret_key: {spec.secret_key!r} is not set, but the access key is")
    if not region and (found := _REGION.search(endpoint.host)):
        region = found[1]
    if not region:
        what = f"{spec.region!r} has no value" if spec.region else "there is none"
        raise SpecError(f"aws_signature.region: {what}, and the host {endpoint.host!r} names no region: give it")
    token = _text("session_token", spec.session_token, fold)
    keys = (wrapped(HEADER, text) for text in (access_key, secret_key, token))
    return replace(endpoint, signer=AwsSigner(spec.service, region, *keys))


def _text(name: str, text: str, fold: Context) -> str:
    template = compile_string(text, f"aws_signature.{name}", fold)
    if template.render is not None:
        raise SpecError(f"aws_signature.{name}: {text!r} may name params and secrets only")
    return "" if template.value is MISSING or template.value is None else str(template.value)


def ready(request: RenderedRequest, endpoint: Endpoint, style: Style) -> RenderedRequest:
    """What is sent to `endpoint` at once: with its secrets in clear and, if it is signed, with all headers. One that
    has an authorization of its own is not signed. Raises BadRequest."""
    request, signer = endpoint.released(request), endpoint.signer
    if signer is None or any(name.lower() == "authorization" for name, _ in request.headers):
        return request
    pairs = with_defaults(request, endpoint.host_header, style)
    given = (request.method, request.path, pairs, request.body, datetime.now(UTC))
    return request._replace(headers=tuple(signer.headers(*given, endpoint.release_text)))


class SigningEncoder(RequestEncoder):
    """Signs each request anew."""

    __slots__ = ()

    def encode(self, request: RenderedRequest) -> bytes:
        signed = ready(request, self._endpoint, self.style)
        return encode_request(encode_head(signed, self._endpoint.host_header, self.style, self._via), signed)


def request_encoder(endpoint: Endpoint, style: Style) -> RequestEncoder:
    """For the requests of one connection."""
    return (RequestEncoder if endpoint.signer is None else SigningEncoder)(endpoint, style)
