"""What was learned: a target, and how far it can be relied on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reading:
    """What the proposed mapping reads in the recorded answer. `error`: why it reads nothing."""

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str = ""

    @property
    def cut_off(self) -> bool:
        """Whether it read a text whose end was not recorded."""
        return bool(self.text and self.error)


@dataclass
class Proposal:
    """`secrets`: by name, with the values that were recorded, which no output holds. `unsure`: what was decided without
    proof; `untold`: what could not be found out."""

    preset: str
    url: str
    stream: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    reason: str = ""
    """Why this preset, or that none fits."""
    message: str = ""
    """What was taken as the user's message."""
    reading: Reading | None = None
    expected: str = field(default="", repr=False)
    """The text that the recorded pieces have, where no preset fits."""
    unsure: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)

    def target(self) -> dict[str, Any]:
        """The target as the API and `--target-file` take it."""
        return {
            "preset": self.preset,
            "url": self.url,
            "stream": self.stream,
            "params": self.params,
            "overrides": self.overrides,
        }

    def as_dict(self) -> dict[str, Any]:
        reading = self.reading
        return {
            "target": self.target(),
            "secrets": sorted(self.secrets),
            "reason": self.reason,
            "message": self.message,
            "reads": None if reading is None else {
                "text": reading.text,
                "tokens_in": reading.tokens_in,
                "tokens_out": reading.tokens_out,
                "error": reading.error,
            },
            "unsure": self.unsure,
            "untold": self.untold,
        }  # fmt: skip
