"""Chats whose exchanges do not show how they are read, and what is known of them all the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from connectors.preset_info import preset_info
from targets.learning.proposal import Proposal
from targets.learning.recorded.exchange import NO_JSON, Exchange

_GRADIO: Final = re.compile(r"(.*?)/(?:gradio_api/)?queue/join/?")
_SEALED: Final = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}|[0-9a-fA-F]{64,}")


def of_gradio(exchanges: Sequence[Exchange], message: str) -> tuple[Proposal, Exchange] | None:
    """A page of Gradio posts to a queue, and its answers come on a stream for all. The preset calls the app by its
    API, which has other addresses."""
    for chat in reversed(exchanges):
        found = _GRADIO.fullmatch(chat.parts.path)
        inputs = chat.body.get("data") if isinstance(chat.body, dict) else None
        if found is None or chat.method != "POST" or not isinstance(inputs, list):
            continue
        if said := message or next((text for text in inputs if isinstance(text, str) and text), ""):
            info = preset_info("gradio")
            made = Proposal(
                preset=info.name,
                url=f"{chat.parts.scheme}://{chat.parts.netloc}{found[1]}",
                reason=f"the address is that of a queue of Gradio: the preset {info.name} ({info.title}) calls its API",
                message=said,
            )
            made.unsure.append(
                "the recorded answer was not compared: the preset calls the app's first named endpoint, or params.api"
            )
            return made, chat
    return None


def sealed(exchanges: Sequence[Exchange]) -> str:
    """What is said of WebSockets whose messages cannot be read; empty: there are none."""
    for one in exchanges:
        events = one.answer.events if one.answer is not None else ()
        texts = [*one.frames, *(event.data for event in events)]
        if one.frames and all(event.document is NO_JSON for event in events) and all(map(_SEALED.fullmatch, texts)):
            return (
                f"what is said over the WebSocket {one.parts.netloc}{one.parts.path[:80]}: its messages look encrypted "
                "or packed; see `codec`, and the presets that have one"
            )
    return ""


def name_what_is_sealed(made: Proposal, exchanges: Sequence[Exchange]) -> None:
    if not made.message and (why := sealed(exchanges)):
        made.untold.insert(0, why)
