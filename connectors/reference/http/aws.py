"""The reference lane's connector for Amazon's event streams, over `requests`."""

from __future__ import annotations

import requests

from connectors.content.styles import FRAMES
from connectors.http.aws_frames import AwsFrames
from connectors.reference.http.exchange import HttpExchange
from connectors.timeline import Timeline


class AwsExchange(HttpExchange):
    """The answer piece by piece, as messages of an Amazon event stream."""

    style = FRAMES

    def _read_stream(self, response: requests.Response, timeline: Timeline) -> None:
        frames = AwsFrames(self._endpoint.limits.event_bytes, timeline)
        for piece in self._stream_pieces(response):
            for data in frames.feed(piece):
                if timeline.done_ns is not None:
                    timeline.late(data)
                else:
                    timeline.event(self._watch.last_ns, data)
        if timeline.done_ns is None:
            frames.rest()
        timeline.end(self._watch.last_ns)
