"""Signatures of requests to Amazon's services: AWS Signature Version 4. Pure.

By hand because what there is for Python 3.11 is heavy (botocore has descriptions of all services) or hardly kept;
Amazon's own lean library needs Python 3.12.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, unquote

ALGORITHM: Final = "AWS4-HMAC-SHA256"
OWN: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})
"""Headers that a signature brings."""
_SIGNED: Final = ("host", "content-type")
_SIGNED_BEGIN: Final = "x-amz-"
"""Headers that are signed: a proxy may change others."""
_SPACES: Final = re.compile(r"[ \t\r\n]+")
_SAFE: Final = "-_.~"
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AwsSigner:
    """The keys and the token (which may be empty) are texts that `opened` turns into secrets in clear."""

    service: str
    region: str
    access_key: str
    secret_key: str
    session_token: str

    def headers(
        self, method: str, path: str, headers: Headers, body: bytes, now: datetime, opened: Callable[[str], str]
    ) -> list[tuple[str, str]]:
        """Those of a request that is sent now (UTC), with its signature."""
        date = now.strftime("%Y%m%dT%H%M%SZ")
        sent = [(name, value) for name, value in headers if name.lower() not in OWN]
        sent.append(("X-Amz-Date", date))
        if self.session_token:
            sent.append(("X-Amz-Security-Token", opened(self.session_token)))
        names = {name.lower() for name, _ in sent}
        signed = sorted(name for name in names if name in _SIGNED or name.startswith(_SIGNED_BEGIN))
        canonical = canonical_request(method, path, [pair for pair in sent if pair[0].lower() in signed], body)
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        said = "\n".join((ALGORITHM, date, scope, hashlib.sha256(canonical).hexdigest()))
        key = f"AWS4{opened(self.secret_key)}".encode()
        for part in (*scope.split("/"), said):
            key = hmac.digest(key, part.encode(), "sha256")
        which = f"Credential={opened(self.access_key)}/{scope}, SignedHeaders={';'.join(signed)}"
        return [*sent, ("Authorization", f"{ALGORITHM} {which}, Signature={key.hex()}")]


def canonical_request(method: str, path: str, headers: Headers, body: bytes) -> bytes:
    """What is signed. All of `headers` are; one may come several times."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.lower(), []).append(_SPACES.sub(" ", value).strip())
    names = sorted(values)
    path, _, query = path.partition("?")
    lines = [
        method,
        quote(_normal(path), safe=f"/{_SAFE}"),
        _canonical_query(query),
        *(f"{name}:{','.join(values[name])}" for name in names),
        "",
        ";".join(names),
        hashlib.sha256(body).hexdigest(),
    ]
    return "\n".join(lines).encode("latin-1", "replace")


def _normal(path: str) -> str:
    """Without `.`, `..` and empty parts (RFC 3986, section 5.2.4): so services see it."""
    found: list[str] = []
    for part in path.split("/"):
        if part == "..":
            found = found[:-1]
        elif part and part != ".":
            found.append(part)
    end = "/" if found and path.endswith("/") else ""
    return f"/{'/'.join(found)}{end}"


def _canonical_query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in sorted((_encoded(n), _encoded(v)) for n, _, v in pairs))


def _encoded(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe=_SAFE, errors="surrogateescape")
