"""Answers that are web pages: somebody recorded, or asked, the chatbot's page instead of its API."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from connectors.content.sniff import is_page
from targets.learning.credentials.credential_like import looks_secret
from targets.learning.recorded.errors import LearnError
from targets.learning.recorded.exchange import Answer, Exchange

LOOKED_AT: Final = 500_000
MOST: Final = 5
_MADE_BY: Final = (
    (re.compile(r"gradio_config|<gradio-app"), "gradio"),
    (re.compile(r"(?i)\bchainlit\b"), "chainlit"),
    (re.compile(r"(?i)\bopen[ -]webui\b"), "open-webui"),
)
"""What a page has that a server with a preset serves."""
_ADDRESS: Final = re.compile(
    r"""["'`=]((?:https?:/)?/[\w./:-]{0,100}?(?:chat|completions?|messages?|assistant|graphql|socket\.io)"""
    r"""[\w./-]{0,60})["'` >]"""
)
_FILE: Final = re.compile(r"\.(?:js|mjs|css|png|svg|ico|jpe?g|webp|gif|woff2?|html?|json|map)$")


def without_pages(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Those that were not answered by a page. Raises LearnError if all were."""
    kept = [one for one in exchanges if not (one.answer is not None and one.answer.fine and page_of(one.answer))]
    if exchanges and not kept:
        asked = exchanges[-1]
        hints = "".join(f"; {hint}" for hint in _hints(page_of(asked.answer)))
        raise LearnError(
            f"what {asked.parts.netloc} answered is a web page: give the address of the chatbot's "
            f"API, which the browser's network tab shows when you send a message{hints}"
        )
    return kept


def page_of(answer: Answer | None) -> str:
    """The page that the answer is; empty: it is none."""
    if answer is None or answer.kind != "text" or not answer.events:
        return ""
    text = answer.events[0].data
    return text[:LOOKED_AT] if is_page(text[:1000].lstrip("\ufeff").encode()) else ""


def _hints(page: str) -> Iterator[str]:
    if made := next((preset for pattern, preset in _MADE_BY if pattern.search(page)), ""):
        yield f"the page looks like one of {made}: try --preset {made} with this address"
    named = list(filter(_is_an_address, dict.fromkeys(_ADDRESS.findall(page))))
    if named:
        yield f"the page names {', '.join(named[:MOST])}"


def _is_an_address(found: str) -> bool:
    """And no file, and nothing with a credential in it."""
    return not _FILE.search(found) and not any(map(looks_secret, found.split("/")))
