"""The reference lane's connector for streamed plain text, over `requests`."""

from __future__ import annotations

import requests

from connectors.content.styles import TEXTS
from connectors.http.text_pieces import TextPieces
from connectors.reference.http.exchange import HttpExchange
from connectors.timeline import Timeline


class TextExchange(HttpExchange):
    """The answer is the body's text, piece by piece as it arrives."""

    style = TEXTS

    def _read_stream(self, response: requests.Response, timeline: Timeline) -> None:
        texts = TextPieces(timeline)
        for piece in self._stream_pieces(response):
            for text in texts.feed(piece):
                timeline.event(self._watch.last_ns, text)
        texts.rest()
        timeline.end(self._watch.last_ns)
