"""What each of the Python servers needs; the node servers have the same in common.js. Runs without our packages."""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path

WORDS = (
    "silver",
    "harbour",
    "näive",
    "Brötchen",
    "Übung",
    "茶",
    "日本語",
    "🙂",
    "line\nbreak",
    '"quoted"',
    "{{",
    "\\u0041",
)


def pieces(count: int) -> list[str]:
    """An answer in pieces: `count` is the number of messages in this conversation, the rest is random."""
    drawn = [f"{random.choice(WORDS)} " for _ in range(random.randint(3, 14))]
    return [f"{count}: ", *drawn, str(uuid.uuid4())]


def sent(log: str, **entry: object) -> None:
    """One line of JSON for each answer, written before the answer's last piece is sent."""
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
