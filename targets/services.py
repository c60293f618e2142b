"""Converts a Target row to a TargetSpec."""

from __future__ import annotations

from connectors.spec import TargetSpec, build_target_spec
from targets.models import Target


def target_spec(target: Target, *, with_secrets: bool = False) -> TargetSpec:
    """The target's spec, with its secrets only if requested. Raises `connectors.spec.SpecError` if the row does not
    make a usable spec, and `targets.secrets.SecretsError` if its secrets cannot be decrypted."""
    return build_target_spec(
        name=target.name,
        url=target.url,
        preset=target.preset,
        stream=target.stream,
        params=target.params,
        overrides=target.overrides,
        secrets=target.get_secrets() if with_secrets else None,
    )
