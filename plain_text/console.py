"""A rich console that shows text as it is: no markup, no emoji names, no control characters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from plain_text.visible import visible


class PlainConsole(Console):
    """Only rich itself moves the cursor and colors: what a text says is written as text."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**({"markup": False, "emoji": False} | given))

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)
