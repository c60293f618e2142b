"""Presets as text for a terminal. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.preset_info import PresetInfo, command

LABEL = 10


def preset_table(infos: Sequence[PresetInfo]) -> Iterator[str]:
    """One line for each: name, title, address, secrets, and params that must be given."""
    heads = ("preset", "speaks to", "base address", "secrets", "needs")
    rows = [heads, *((i.name, i.title, i.about.address, ", ".join(i.secrets), ", ".join(i.needs)) for i in infos)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def preset_lines(info: PresetInfo) -> Iterator[str]:
    """All about one preset."""
    params = [name if value is None else f"{name}={_text(value)}" for name, value in info.params.items()]
    rows = [
        ("preset", f"{info.name}: {info.title}"),
        ("about", info.doc),
        ("address", info.about.address),
        ("link", info.about.link),
        ("protocol", f"{info.protocol}{f', with --stream {info.streamed}' if info.streamed else ''}"),
        *(("secret", f"{name}{f': {what}' if what else ''}") for name, what in info.secrets.items()),
        ("params", ", ".join(params)),
        ("needs", ", ".join(info.needs)),
        ("limits", info.about.limits),
        ("try", f"manage.py probe {shlex.join(command(info))}"),
    ]
    for label, text in rows:
        if text:
            yield f"{label:<{LABEL}}{text}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
