"""Files of a scenario, which go with its messages: given as base64, or made. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from attachments.attachment import MAX_BYTES, Attachment, AttachmentError, check_name, from_base64
from attachments.generated import generated
from inputs.wording import place_of, words_of

MAX_FILES_BYTES: Final = 10_000_000
"""Of all files that a scenario holds itself: as its rows, they go to every engine and are kept with every run."""
MAX_MADE_BYTES: Final = 100_000_000
"""Of all files that are made for a scenario, in each engine."""
LEAST_BYTES: Final = 1000
"""What each of them counts at least."""
MAX_FILES: Final = 1000
MAX_PER_MESSAGE: Final = 16
_PATH: Final = "a path is read only by `burn`, from a scenario's file: give the file as `base64`"


class FileSpec(BaseModel):
    """`base64`: the file itself, also as a data URL. Or `generate`: it is made, with exactly `bytes` bytes; of
    `variants` different ones each conversation gets the next. Without `type`, the suffix of `name` or the first bytes
    tell it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base64: str | None = None
    generate: Literal["png", "wav", "pdf", "txt"] | None = None
    bytes: int | None = None
    variants: int = Field(1, ge=1, le=1000)
    name: str | None = None
    type: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_here(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "path" in data:
            raise ValueError(_PATH)
        return data

    @model_validator(mode="after")
    def _is_a_file(self) -> Self:
        if (self.base64 is None) == (self.generate is None):
            raise ValueError("give either `base64`, or `generate` and `bytes`")
        self._has_effect()
        if self.name is not None:
            check_name(self.name)
        self.variant(0)  # raises for what is no file
        return self

    def _has_effect(self) -> None:
        if self.generate is None:
            without = {"bytes": self.bytes is not None, "variants": self.variants != 1}
        else:
            without = {"type": self.type is not None}
            if self.bytes is None:
                raise ValueError(f"`generate` needs `bytes`: the size of the file, at most {MAX_BYTES:,}")
        for field in (field for field, given in without.items() if given):
            raise ValueError(f"{field} has no effect with `{'generate' if self.base64 is None else 'base64'}`")

    def variant(self, number: int) -> Attachment:
        """The one for conversation `number`. Raises AttachmentError."""
        number %= self.variants
        if number not in self._made:
            self._made[number] = self._new(number)
        return self._made[number]

    @cached_property
    def _made(self) -> dict[int, Attachment]:
        """Variants by number, as they are asked for: a scenario may name many that nobody sends."""
        return {}

    def _new(self, number: int) -> Attachment:
        if self.base64 is not None:
            return from_base64(self.base64, self.name, self.type)
        return generated(str(self.generate), self.bytes or 0, str(number), self.name)

    @property
    def held_bytes(self) -> int:
        return 0 if self.base64 is None else self.variant(0).size

    @property
    def made_bytes(self) -> int:
        return 0 if self.generate is None else max(self.bytes or 0, LEAST_BYTES) * self.variants


def file_of(given: Any) -> FileSpec:
    """The file that a message names in place. Raises AttachmentError."""
    try:
        return FileSpec.model_validate(given)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        where = place_of(error["loc"])
        raise AttachmentError(f"{where}: {words_of(error, FileSpec)}" if where else words_of(error, FileSpec)) from exc


def check_files(files: Mapping[str, FileSpec], packed: Mapping[str, str]) -> None:
    """Raises ValueError if there are more bytes than a run can carry. `packed`: base64 of other files, by its place."""
    held = {name: file.held_bytes for name, file in files.items()}
    held |= {place: len(text) * 3 // 4 for place, text in packed.items()}
    if (total := sum(held.values())) > MAX_FILES_BYTES:
        largest = max(held, key=lambda name: held[name])
        raise ValueError(
            f"files: they have {total:,} bytes: at most {MAX_FILES_BYTES:,} fit ({largest} has {held[largest]:,});"
            " leave some out, or have them made (`generate`)"
        )
