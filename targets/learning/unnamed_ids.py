"""Ids and counters whose names do not say what they are: where else they were recorded shows it."""

from __future__ import annotations

from typing import Any, Final

from targets.learning.recorded.exchange import Exchange, Path, leaves, words
from targets.learning.text_like import bare, is_id

COUNTERS: Final = words(
    """
    turn turnnumber turnindex turncount seq seqno sequence sequencenumber counter messageindex messagenumber
    messagecount round step
    """
)
FIXED: Final = ("bot", "agent", "assistant", "tenant", "org", "project", "workspace", "app", "model", "version", "site")
"""In names of ids that belong to the chatbot and not to a conversation."""
LOOKED_AT: Final = 200
VALUES: Final = 500
FIRST: Final = 2
"""The largest number of a second recorded turn that still tells where the first one began."""


def texts_of(exchange: Exchange | None) -> dict[str, Path]:
    """Where ids are in the answer of an exchange."""
    documents = exchange.answer.documents if exchange is not None and exchange.answer is not None else []
    return {
        value: path
        for document in documents[:LOOKED_AT]
        for path, value in leaves(document, VALUES)
        if path and isinstance(value, str) and is_id(value)
    }


def is_fixed(path: Path) -> bool:
    return any(word in bare(key) for key in path[-1:] for word in FIXED)


def counted(path: Path, value: Any, old: Any) -> tuple[str, str] | None:
    """The expression for a number that grows with each turn (empty: unknown), and what is unsure about it."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if type(old) is int and value == old + 1:
        first = old if value <= FIRST else 0
        sure = f"{{{{ turn + {first} }}}}" if first else "{{ turn }}"
        return sure, f"is taken to count the turns, from {first}"
    if path and bare(path[-1]) in COUNTERS and old is None:
        return "", "may count the turns: it is sent as it was recorded; record a second turn"
    return None


def where_answers_come(exchange: Exchange) -> dict[str, str]:
    """Params of the preset for STOMP: the destination, with {session} for an id that the request has too."""
    place = exchange.stomp
    if not place:
        return {}
    for _, value in leaves(exchange.body, VALUES):
        if isinstance(value, str) and is_id(value):
            place = place.replace(value, "{session}")
    return {"answers": place}
