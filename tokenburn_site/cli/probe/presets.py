"""Presets as text for a terminal. Pure."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from connectors.preset_info import OPTIONAL, PresetInfo, command

LABEL = 10
WIDTH = 100


def preset_table(infos: Sequence[PresetInfo]) -> Iterator[str]:
    """Of each: name and title, then address, secrets, and params that must be given."""
    column = max(len(info.name) for info in infos) + 2
    yield f"{'preset':<{column}}speaks to: base address; secrets; needs"
    for info in infos:
        address, room = info.about.address, WIDTH - column - 2
        facts = [address if len(address) <= room else f"{address[: room - 3]}..."]
        if info.secrets:
            named = [
                f"{name}{' (optional)' if what.startswith(OPTIONAL) else ''}" for name, what in info.secrets.items()
            ]
            facts.append(f"secrets: {', '.join(named)}")
        if info.needs:
            facts.append(f"needs: {', '.join(info.needs)}")
        yield f"{info.name:<{column}}{info.title}"[:WIDTH]
        yield from (f"{'':<{column}}{line}" for line in _wrapped("; ".join(facts), WIDTH - column))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


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
        ("takes", ", ".join(info.attachments)),
        ("limits", info.about.limits),
        ("try", f"manage.py probe {shlex.join(command(info))}"),
    ]
    for label, text in rows:
        if text:
            yield f"{label:<{LABEL}}{text}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
