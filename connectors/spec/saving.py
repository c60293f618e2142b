"""Where the values stand that an answer gives to later requests."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from connectors.content.patterns import compile_pattern
from connectors.spec.base import Frozen


def check_pattern(text: str) -> str:
    """Raises ValueError for what is no regular expression, or could take too long."""
    compile_pattern(text)
    return text


Pattern = Annotated[str, AfterValidator(check_pattern)]


class Source(Frozen):
    """The value of a `header` of the answer, or of a `cookie` that it sets, or what `pattern`, a regular expression,
    finds in it, and without these two in the body: its first group, or all that matches. `required`: an answer without
    it fails."""

    header: str | None = Field(None, min_length=1)
    cookie: str | None = Field(None, min_length=1)
    pattern: Pattern | None = None
    required: bool = True

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.header is not None and self.cookie is not None:
            raise ValueError("give either `header` or `cookie`")
        if self.header is None and self.cookie is None and self.pattern is None:
            raise ValueError("give `header`, `cookie` or `pattern`")
        return self

    @property
    def in_head(self) -> bool:
        return self.header is not None or self.cookie is not None

    @property
    def place(self) -> str:
        """For messages."""
        what = {"header": self.header, "cookie": self.cookie, "pattern": self.pattern}
        return ", ".join(f"{name} {value!r}" for name, value in what.items() if value is not None)


Save = dict[str, str | Source]
"""By the name of a variable: a path in the answer's JSON, or another source."""
