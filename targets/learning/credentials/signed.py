"""Recorded requests that are signed for AWS: the target gets the keys, and signs each request itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from connectors.spec import load_preset
from targets.learning.credentials.concealed import Secrets
from targets.learning.proposal import Proposal
from targets.learning.recorded.aws import BROUGHT, UNKNOWN, read_header
from targets.learning.recorded.exchange import CLOSE, OPEN, Exchange
from targets.learning.written import constant

KEYS: Final = {"access_key": "access_key_id", "secret_key": "secret_access_key", "session_token": "session_token"}
"""Names of the secrets, by the keys of `aws_signature`."""
_NAME: Final = re.compile(r"\bsecret\.(\w+)")


def unsigned(exchange: Exchange, secrets: Secrets) -> Exchange:
    """The request without the headers of its signature, and with marks for the keys."""
    signed = exchange.aws or read_header(exchange.header("authorization"))
    if signed is None:
        if "x-amz-signature=" in exchange.url.lower():
            what = "the query holds a signature of AWS, which is valid for minutes: leave it out, and see aws_signature"
            return replace(exchange, unsure=(*exchange.unsure, what))
        return exchange
    token = exchange.header("x-amz-security-token")
    values = {"access_key": signed.access_key, "secret_key": signed.secret_key, "session_token": token}
    marks = {key: secrets.mark(KEYS[key], value) for key, value in values.items() if value}
    headers = tuple(pair for pair in exchange.headers if pair[0].lower() not in BROUGHT)
    return replace(exchange, headers=headers, aws=replace(signed, **marks))


def sign(made: Proposal, chat: Exchange, secrets: Secrets) -> dict[str, str]:
    """Let the target sign its requests as `chat` was. Returns the names that the preset has for the secrets, by those
    that were found."""
    if (signed := chat.aws) is None:
        return {}
    marks = {key: mark for key in KEYS if (mark := getattr(signed, key))}
    found = {key: mark.strip(OPEN + CLOSE) for key, mark in marks.items()}
    known = load_preset(made.preset).get("aws_signature")
    if known is None:
        texts = {key: constant(mark) for key, mark in marks.items()}
        made.overrides["aws_signature"] = {"service": signed.service, "region": signed.region, **texts}
        made.unsure.append(f"requests are signed for the service {signed.service} of AWS in {signed.region}")
    elif "params.region" in known.get("region", ""):
        made.params["region"] = signed.region
    if secrets.values.get(found["secret_key"]) == UNKNOWN:
        made.unsure.append("the secret key was not recorded, as a signature does not tell it: set secret_access_key")
    names = {key: _NAME.search(known.get(key, "")) for key in found} if known else {}
    return {found[key]: name[1] for key, name in names.items() if name is not None}
