"""Messages of Amazon's event streams: those that Amazon publishes for makers of clients, and all ways to cut them."""

from __future__ import annotations

import random
import zlib

import pytest

from connectors.errors import TurnError
from connectors.http.aws_frames import AwsFrames, encode_message
from connectors.mapping.answers.response import ResponseMapping
from connectors.spec import PartSpec, ResponseSpec
from connectors.timeline.named import NamedTimeline

NO_HEADERS = b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96"
WITH_HEADER = (
    b"\x00\x00\x00=\x00\x00\x00 \x07\xfd\x83\x96\x0ccontent-type\x07\x00\x10application/json"
    b"{'foo':'bar'}\x8d\x9c\x08\xb1"
)
ALL_TYPES = (
    b"\x00\x00\x00\x62\x00\x00\x00\x52\x03\xb5\xcb\x9c\x010\x00\x011\x01\x012\x02\x02\x013\x03\x00\x03"
    b"\x014\x04\x00\x00\x00\x04\x015\x05\x00\x00\x00\x00\x00\x00\x00\x05\x016\x06\x00\x05bytes\x017\x07\x00\x04utf8"
    b"\x018\x08\x00\x00\x00\x00\x00\x00\x00\x08\x019\x090123456789abcdef\x63\x35\x36\x71"
)
EMPTY = b"\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2H\xeb}\x98\xc8\xff"
ERROR = (
    b"\x00\x00\x00\x52\x00\x00\x00\x42\xbf\x23\x63\x7e\x0d:message-type\x07\x00\x05error"
    b"\x0b:error-code\x07\x00\x04code\x0e:error-message\x07\x00\x07message\x6b\x6c\xea\x3d"
)
BROKEN = {
    "header length": WITH_HEADER[:4] + b"\xff\x00\x01\x02" + WITH_HEADER[8:],
    "headers": WITH_HEADER.replace(b"content-", b"content+"),
    "length": b"\x01" + NO_HEADERS[1:],
    "payload": NO_HEADERS.replace(b"}", b"\x8d"),
    "twice": (b"\x00\x00\x00\x24\x00\x00\x00\x14\x4b\xb9\x82\xd0\x04test\x04asdf\x04test\x04asdf\xf3\xf4\x75\x63"),
    "header length with its checksum": (
        b"\x00\x00\x00\x3d\xff\x00\x01\x02\x15\x83\xf5\xc2\x0ccontent-type\x07\x00\x10application/json{'foo':'bar'}"
        b"\x2f\x37\x7f\x5d"
    ),
}
NAMED = encode_message([(":event-type", "piece")], b'"a"')


def frames(limit: int = 100) -> tuple[AwsFrames, NamedTimeline]:
    mapping = ResponseSpec(kind="@event", kinds={"piece": PartSpec(delta="@"), "end": PartSpec(done=True)})
    timeline = NamedTimeline(ResponseMapping(mapping), 0)
    return AwsFrames(limit, timeline), timeline


def test_published_messages_are_read_however_they_are_cut() -> None:
    stream = NO_HEADERS + EMPTY + NAMED + ALL_TYPES + WITH_HEADER
    for size in range(1, len(stream) + 1):
        reader, timeline = frames()
        found = []
        for at in range(0, len(stream), size):
            found += [(timeline.event_name, data) for data in reader.feed(stream[at : at + size])]
        reader.rest()
        assert found == [("message", b"{'foo':'bar'}"), ("piece", b'"a"'), ("message", b"{'foo':'bar'}")]


def test_our_own_messages_are_as_published() -> None:
    assert encode_message([], b"{'foo':'bar'}") == NO_HEADERS
    assert encode_message([("content-type", "application/json")], b"{'foo':'bar'}") == WITH_HEADER
    said = [(":message-type", "error"), (":error-code", "code"), (":error-message", "message")]
    assert encode_message(said, b"") == ERROR


@pytest.mark.parametrize("message", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_message_is_refused(message: bytes) -> None:
    reader, _ = frames()
    with pytest.raises(TurnError) as refused:
        list(reader.feed(message))
    assert refused.value.code == "eventstream_malformed"


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (ERROR, "the event 'code': message"),
        (encode_message([(":message-type", "error")], b""), "the event 'error': without data"),
        (encode_message([(":message-type", "exception")], b'{"message":"slower"}'), "the event 'exception': slower"),
    ],
)
def test_an_exception_fails_the_answer_even_behind_its_end(message: bytes, detail: str) -> None:
    for ended in (False, True):
        reader, timeline = frames()
        timeline.done_ns = 5 if ended else None
        with pytest.raises(TurnError) as failed:
            list(reader.feed(message))
        assert (failed.value.code, failed.value.detail, timeline.done_ns) == ("target_error", detail, None)


def test_a_message_beyond_the_limit_is_refused_by_its_beginning() -> None:
    assert list(frames(len(NO_HEADERS))[0].feed(NO_HEADERS)) == [b"{'foo':'bar'}"]
    with pytest.raises(TurnError) as refused:
        list(frames(len(NO_HEADERS) - 1)[0].feed(NO_HEADERS[:12]))
    assert refused.value.code == "event_too_large"


def test_a_stream_that_ends_within_a_message_is_cut_off() -> None:
    reader, _ = frames()
    assert list(reader.feed(NO_HEADERS[:20])) == []
    with pytest.raises(TurnError) as cut:
        reader.rest()
    assert cut.value.code == "stream_incomplete"


def test_whatever_comes_is_read_or_refused() -> None:
    """Also where the checksums of what was changed are right again."""
    draw = random.Random(7)
    codes = set()
    for _ in range(3000):
        message = bytearray(draw.choice((NO_HEADERS, WITH_HEADER, ALL_TYPES, ERROR, NAMED)))
        for _ in range(draw.randint(1, 3)):
            message[draw.choice((*range(8), *range(12, len(message))))] = draw.choice((0, 1, 7, 16, 127, 128, 255))
        if draw.random() < 0.8:
            message[8:12] = zlib.crc32(message[:8]).to_bytes(4)
            message[-4:] = zlib.crc32(message[:-4]).to_bytes(4)
        reader, _ = frames(300)
        try:
            list(reader.feed(bytes(message) + EMPTY))
            reader.rest()
        except TurnError as exc:
            codes.add(exc.code)
    assert codes == {"eventstream_malformed", "event_too_large", "stream_incomplete", "target_error"}
