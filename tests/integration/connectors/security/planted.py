"""Secrets that are planted in a target, to be looked for where they must not go."""

from __future__ import annotations

from typing import Any

from connectors.spec import TargetSpec
from tests.integration.connectors.lanes import ROOMY, make_spec

KEY, PASSWORD = "planted-key-4711", "planted-password-0815"
SECRETS = {"key": KEY, "password": PASSWORD, "proxy_user": "planted-proxy-user", "proxy_password": PASSWORD}
ALLOWED = "https://api.example.org:443"


def spec_of(protocol: str, url: str, origins: list[str] | None, **overrides: Any) -> TargetSpec:
    spec = make_spec(protocol, url, **{"timeouts": ROOMY} | overrides)
    return TargetSpec.model_validate(spec.wire_dict() | {"secrets": SECRETS, "secret_origins": origins})
