"""Deprecated alias of `connectors.security.guard` for custom connectors. Removed in 1.0."""

from __future__ import annotations

import warnings

from connectors.security.guard import Address, AllowPrivate, is_judged_behind_proxy, refusal, resolve, resolve_async

__all__ = ["Address", "AllowPrivate", "is_judged_behind_proxy", "refusal", "resolve", "resolve_async"]

warnings.warn("import connectors.security.guard instead of connectors.guard", FutureWarning, stacklevel=2)
