"""Signatures of AWS in recorded requests: they are valid for minutes, so a target has the keys and signs anew."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from connectors.security.sigv4 import OWN

BROUGHT: Final = OWN | {"x-amz-content-sha256"}
"""Headers that belong to one signature."""
UNKNOWN: Final = "$AWS_SECRET_ACCESS_KEY"
"""In the place of a secret key that was not recorded."""
_HEADER: Final = re.compile(
    r"\s*AWS4-HMAC-SHA256\b[^=]{0,20}Credential=([^/\s,]{1,200})/\d{8}/([\w-]{1,60})/([a-z0-9-]{1,64})/aws4_request"
)


@dataclass(frozen=True)
class AwsSigned:
    """For what a request is signed, and by which keys."""

    service: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(default=UNKNOWN, repr=False)
    session_token: str = field(default="", repr=False)


def read_header(authorization: str) -> AwsSigned | None:
    found = _HEADER.match(authorization)
    return None if found is None else AwsSigned(found[3], found[2], found[1])


def of_curl(option: str, user: str, url: str) -> AwsSigned:
    """What `--aws-sigv4` says: provider1, provider2, region, service; the last two may stand in the host's name."""
    parts = [*option.split(":"), "", "", "", ""]
    labels = [*(urlsplit(url).hostname or "").split("."), "", ""]
    access_key, _, secret_key = user.partition(":")
    return AwsSigned(parts[3] or labels[0], parts[2] or labels[1], access_key, secret_key or UNKNOWN)
