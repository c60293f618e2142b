"""A target's mapping: how to build requests and read answers."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

_OLD_PLACES = {"CompiledTarget": "connectors.target", "RenderedRequest": "connectors.mapping.request"}
"""Names that connectors of users' own may still import from here, until release 1.0."""


def __getattr__(name: str) -> Any:
    if name not in _OLD_PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"import {name} from {_OLD_PLACES[name]}", FutureWarning, stacklevel=2)
    return getattr(import_module(_OLD_PLACES[name]), name)
