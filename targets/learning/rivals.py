"""Other recorded requests that hold the same message: telemetry, titles, suggestions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from targets.learning.asking import asked_in
from targets.learning.recorded.exchange import CLOSE, OPEN, Exchange, leaves
from targets.learning.saying import said_in_whole
from targets.learning.streams import said_in_stream
from targets.learning.text_like import said

SHORTEST: Final = 3
"""Characters of a message that is looked for elsewhere."""
MOST: Final = 5
_MARK: Final = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")


def message_of(exchange: Exchange, marker: str = "") -> str:
    return marker or asked_in(exchange).message


def text_of(exchange: Exchange, message: str) -> str:
    """What the chatbot said in the answer; empty: nothing that looks like it."""
    answer = exchange.answer
    if answer is None or not answer.fine or not answer.events:
        return ""
    if answer.kind == "text":
        text = answer.events[0].data
        return text if said(text) >= 2 and text.strip() != message else ""
    if answer.kind == "json":
        return said_in_whole(answer.events[0].document, message).text
    return said_in_stream(answer, message, {}).text


def rivals_of(chat: Exchange, exchanges: Sequence[Exchange], message: str) -> list[Exchange]:
    """Requests to other places that hold the message."""
    if len(message) < SHORTEST:
        return []
    return [one for one in exchanges if _place(one) != _place(chat) and holds(one, message)]


def holds(exchange: Exchange, message: str) -> bool:
    """Whether a text of its body has the message in it."""
    return any(isinstance(text, str) and message in text for _, text in leaves(exchange.body))


def _place(exchange: Exchange) -> str:
    parts = exchange.parts
    return f"{exchange.method} {parts.netloc}{_MARK.sub('***', parts.path)[:80]}"


def told(rivals: Sequence[Exchange], message: str) -> Iterator[str]:
    """A line for each of the places."""
    places: dict[str, bool] = {}
    for one in rivals:
        places[_place(one)] = places.get(_place(one), False) or bool(text_of(one, message))
    for place, answers in list(places.items())[:MOST]:
        why = "has a text too: if it is the chat, give it alone" if answers else "has no text"
        yield f"the message also stands in {place}, whose answer {why}"
