"""Checks of a standing stream's response and its end, for both lanes."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.content.sniff import is_stream, note_type
from connectors.content.styles import EVENTS
from connectors.content.wording import SHAPE_LIMIT, refusal_text
from connectors.errors import BadAnswer, BrokenTransport, Refused, TurnError


def refused_standing(status: int, body: bytes) -> Refused:
    """Both lanes call these."""
    return Refused(status, f"the standing stream: {refusal_text(body)}", "check the path and headers of `standing`")


def stream_over() -> BadAnswer:
    return BadAnswer("stream_incomplete", "the standing stream ended before the answer did", "the answer was cut off")


def unfit(headers: dict[str, str]) -> TurnError | None:
    """What is wrong with an accepted stream by its headers (names in lower case), None if nothing is."""
    if headers.get("content-encoding", "identity") not in {"", "identity"}:
        return BrokenTransport("encoding_invalid", "the standing stream is compressed, which was not requested")
    return None


def looks_like_events(headers: Mapping[str, str], first: bytes) -> bool:
    """Whether a stream that begins with `first` is an event stream, whatever its content type; False: too few bytes to
    tell. Raises BadAnswer if it is not."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    declared = kind in EVENTS.streamed
    found = is_stream(EVENTS, first, declared=declared)
    if found is False:
        what = f"the standing stream's content type is {kind[:60]!r}, and it holds no server-sent events"
        raise BadAnswer("answer_unmatched", f"{what}: {first[:SHAPE_LIMIT]!r}", "check the path of `standing`")
    if found and not declared:
        note_type(kind)
    return bool(found)
