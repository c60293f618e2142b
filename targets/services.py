"""Converts a Target row to a TargetSpec."""

from __future__ import annotations

from connectors.spec import TargetSpec, build_target_spec
from targets.models import Target


def target_spec(target: Target, *, with_secrets: bool = False) -> TargetSpec:
    """The target's spec, with its secrets only if requested; `targets.binding` says who may. Raises
    `connectors.spec.SpecError` if the row does not make a usable spec, and `sealing.secrets.SecretsError` if its
    secrets cannot be decrypted."""
    credential = target.credential if with_secrets else None
    return build_target_spec(
        name=target.name,
        url=target.url,
        preset=target.preset,
        stream=target.stream,
        params=target.params,
        overrides=target.overrides,
        secrets=None if credential is None else credential.get_secrets(),
        secret_origins=None if credential is None else credential.origins,
    )
