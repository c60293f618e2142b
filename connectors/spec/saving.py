"""Where the values stand that an answer gives to later requests."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from connectors.spec.base import Frozen


class Source(Frozen):
    """The value of a `header` of the answer, or of a `cookie` that it sets. `required`: an answer without it fails."""

    header: str | None = Field(None, min_length=1)
    cookie: str | None = Field(None, min_length=1)
    required: bool = True

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.header is None) == (self.cookie is None):
            raise ValueError("give either `header` or `cookie`")
        return self

    @property
    def place(self) -> str:
        """For messages."""
        return f"header {self.header!r}" if self.header is not None else f"cookie {self.cookie!r}"


Save = dict[str, str | Source]
"""By the name of a variable: a path in the answer's JSON, or another source."""
