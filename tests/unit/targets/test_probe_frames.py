"""Which frames of a failed turn a test message calls unmatched: those that may hold the answer that was not found."""

from __future__ import annotations

import pytest

from targets.probe import probe
from tests.hostile.server import HostileServer, Peer
from tests.unit.targets.test_probe import spec, stream

BEGINS = {"type": "start", "role": "assistant"}
CUT = stream(BEGINS).replace(b"Length: ", b"Length: 9")
CASES = {
    "the target says an error": (stream(BEGINS, {"type": "piece", "error": "too many"}), "target_error", ""),
    "a frame that is not JSON": (stream(BEGINS, "{"), "json_invalid", ""),
    "the connection ends": (CUT, "body_truncated", ""),
    "the stream ends early": (stream(BEGINS), "stream_incomplete", ""),
    "early, and with a text elsewhere": (stream(BEGINS, {"type": "bit", "d": "Se"}), "stream_incomplete", "bit"),
    "early, and with a text": (
        stream(BEGINS, {"type": "bit", "d": "Se"}, {"type": "piece", "d": "ine"}), "stream_incomplete", "",
    ),
    "no text where the mapping looks": (
        stream(BEGINS, {"type": "bit", "d": "Se"}, {"type": "end"}), "answer_unmatched", "start bit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_only_frames_that_may_hold_a_missing_answer_are_unmatched(case: str) -> None:
    answer, code, unmatched = CASES[case]

    def serve(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)

    with HostileServer(serve) as server:
        turn = probe(spec(server.url), ["x"]).turns[0]
    assert turn.error is not None and turn.error.code == code
    marked = [frame.data for frame in turn.frames if not frame.gave]
    assert [f'"{kind}"' in data for kind, data in zip(unmatched.split(), marked, strict=True)] == [True] * len(marked)
    assert turn.unmatched == len(marked)
