"""The base of all specs: they are frozen, refuse unknown fields, and explain errors in words."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class SpecError(ValueError):
    """A target, scenario or load that cannot be used; the message says what is wrong and what to do."""


class Frozen(BaseModel):
    # Built on first use, as part of the containing model, so that importing does not build each model separately.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def spec_problems(exc: ValueError) -> str:
    """Pydantic's findings on one line, without input values: a value may be a secret."""
    errors = getattr(exc, "errors", None)
    if errors is None:
        return str(exc)
    found = [(".".join(str(part) for part in e["loc"]), str(e["msg"]).removeprefix("Value error, ")) for e in errors()]
    return "; ".join(f"{where}: {what}" if where else what for where, what in found)
