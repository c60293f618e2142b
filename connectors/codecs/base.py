"""The contract of a codec. Its errors must never contain a key or part of a text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from connectors.errors import BadAnswer
from connectors.spec import Frozen, SpecError, spec_problems

OptionsT = TypeVar("OptionsT", bound=Frozen)


class Codec(ABC):
    """Encodes what is sent and decodes what is received. Created once per conversation, with its options rendered."""

    @abstractmethod
    def encode(self, data: bytes) -> bytes:
        """Raises BadRequest: nothing is sent then."""

    @abstractmethod
    def decode(self, data: bytes) -> bytes:
        """Raises BadAnswer (codec_failed)."""


class WithOptions(Codec, Generic[OptionsT]):
    """A built-in codec: `name` as targets write it, `shape` of its options."""

    name: ClassVar[str]
    shape: type[OptionsT]

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises SpecError, without the values."""
        try:
            self.options = self.shape.model_validate(dict(options))
        except ValueError as exc:
            raise SpecError(
                f"codec {self.name!r}: {spec_problems(exc, self.shape)}"
            ) from None  # the cause would show the values

    def failed(self, what: str, advice: str = "") -> BadAnswer:
        return BadAnswer("codec_failed", f"{self.name}: {what}", advice)
