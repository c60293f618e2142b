"""Reads secrets of an ad-hoc target from the environment, where `ps` and the shell history do not show them."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "TOKENBURN_SECRET_"
NOT_A_TARGETS = "TOKENBURN_SECRET_KEY"
"""Django's own signing key (see tokenburn_site.config.env): it must never reach a target."""


def from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`TOKENBURN_SECRET_API_KEY=x` becomes `{{ secret.api_key }}`; empty values count as not set."""
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in (PREFIX, NOT_A_TARGETS) and value
    }
