"""Signatures of the requests to a target."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import Field

from connectors.spec.base import Frozen
from connectors.spec.handshake import JwtSpec
from connectors.spec.secret_places import SecretPlaces


class AwsSignatureSpec(Frozen):
    """Signature Version 4 of Amazon's services, of all requests to the target's own origin. Texts are templates of
    params and secrets. Without a value for `access_key` nothing is signed; `region` may stand in the host's name."""

    service: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    region: str = ""
    access_key: str
    secret_key: str
    session_token: str = ""


def check_signature(spec: AwsSignatureSpec, protocol: str, signed: Collection[str], places: SecretPlaces) -> None:
    """`signed`: the protocols whose requests are. Raises ValueError."""
    if protocol not in signed:
        known = ", ".join(sorted(signed))
        raise ValueError(f"aws_signature: requests of protocol {protocol} are not signed; those of {known} are")
    places.nowhere(spec.region, "aws_signature.region", "the name of a region")
    places.as_it_is(spec.access_key, "aws_signature.access_key")
    places.as_it_is(spec.session_token, "aws_signature.session_token")
    if not places.as_it_is(spec.secret_key, "aws_signature.secret_key"):
        raise ValueError("aws_signature.secret_key: name a secret, such as {{ secret.secret_access_key }}")


def check_jwt(spec: JwtSpec, where: str, places: SecretPlaces) -> None:
    """Raises ValueError. A secret in a claim would be encoded twice, and redaction would not know it."""
    if not places.as_it_is(spec.key, f"{where}.key"):
        raise ValueError(f"{where}.key: name a secret, such as {{{{ secret.private_key }}}}")
    places.nowhere(spec.key_id, f"{where}.key_id", "the id of a key")
    places.nowhere(spec.claims, f"{where}.claims", "a claim")
