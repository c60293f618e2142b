"""Socket.IO packets (protocol 5, used by Socket.IO v4, over Engine.IO 4): python-socketio's class with limits. No I/O;
used by both lanes.

An event becomes the JSON document {"event": name, "data": first argument, "args": [all]} that mappings read; an
acknowledgement becomes one whose event is "ack". A binary attachment is dropped as it comes: where it belongs, the
document has {"_binary": its size}. So an announced attachment costs no memory, and a mapping that takes one for text
fails by name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import orjson
from socketio import packet as kinds
from socketio.packet import Packet

from connectors.content.decoding import dumps, is_too_deep, lenient, loads
from connectors.content.wording import ONLY_SOCKETIO, SHAPE_LIMIT, error_text
from connectors.errors import BadAnswer, BadRequest, BrokenTransport, TooLarge, TurnError
from connectors.mapping.request import RenderedRequest

MOST_ATTACHMENTS: Final = 64
"""Attachments that one packet may announce."""
MOST_REPLIES: Final = 1000
"""Pings, and events that want an acknowledgement, which are answered in one turn or between two. More is a flood: a
target that sends them without reading would fill memory with our answers."""
SHORT: Final = 500
"""Bytes of an event's payload that cannot be nested too deeply for orjson to write."""
END: Final = ord("]")
LONGEST_CONTROL: Final = 128
"""Characters of an Engine.IO packet that carries no message."""

OPEN, CLOSE, PING, PONG, MESSAGE = "0", "1", "2", "3", "4"
CONNECT: Final = "40"
EVENTS: Final = frozenset({kinds.EVENT, kinds.BINARY_EVENT})
ACKS: Final = frozenset({kinds.ACK, kinds.BINARY_ACK})
_ENGINE_TYPES: Final = frozenset("0123456")
_OLDER_CONNECT: Final = re.compile(r"40(/[^,?{]*)?(?:\?[^,]*)?,?")
_DIGITS: Final = frozenset("0123456789")


def protocol_error(detail: str, advice: str = "") -> BrokenTransport:
    return BrokenTransport("socketio_protocol", detail, advice)


class _Json:
    """orjson as the `json` of a packet class."""

    @staticmethod
    def loads(text: str) -> Any:
        return loads(text)

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return orjson.dumps(value).decode()


class BoundedPacket(Packet):
    """Raises TurnError, and nothing else, for whatever a target may send."""

    json = _Json
    packet_type: int

    def decode(self, encoded_packet: Any) -> int:
        """Read one packet's text. Returns how many attachments follow it."""
        if not isinstance(encoded_packet, str):
            raise protocol_error("a binary message that no packet announced")
        if encoded_packet[:1] in {"5", "6"}:
            _check_announced(encoded_packet)
        try:
            count: int = super().decode(encoded_packet) or 0
        except orjson.JSONDecodeError as exc:
            raise unreadable(encoded_packet, exc) from exc
        except ValueError as exc:
            raise protocol_error(f"{exc}: {encoded_packet[:SHAPE_LIMIT]!r}") from exc
        self._check()
        if self.packet_type in {kinds.BINARY_EVENT, kinds.BINARY_ACK} and not count:
            self.packet_type = kinds.EVENT if self.packet_type == kinds.BINARY_EVENT else kinds.ACK
        return count

    def add_attachment(self, attachment: Any) -> bool:
        """Count one attachment. Returns whether it was the last one; `data` is complete then."""
        if isinstance(attachment, str):
            raise protocol_error("text where an announced attachment should be")
        return bool(super().add_attachment({"_binary": len(attachment)}))

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[Any]) -> Any:
        _dumps(data)  # what is not too deep for it is not too deep for the recursion either
        try:
            return super().reconstruct_binary(data, dict(enumerate(attachments)))
        except (KeyError, TypeError) as exc:
            raise protocol_error("a placeholder names no attachment") from exc

    def _check(self) -> None:
        """Whether the payload is of the shape that its kind has."""
        data = self.data
        if self.packet_type in EVENTS:
            if type(data) is not list or not data or type(data[0]) is not str:
                raise protocol_error(f"an event without a name: {excerpt(data)}")
        elif self.packet_type in ACKS:
            if type(data) is not list or self.id is None:
                raise protocol_error(f"an acknowledgement without id or arguments: {excerpt(data)}")
        elif self.packet_type == kinds.CONNECT:
            if type(data) is not dict or type(data.get("sid")) is not str:
                advice = f"{ONLY_SOCKETIO}; if this target is of version 2, set socketio.eio to 3"
                raise protocol_error(f"CONNECT without a sid: {excerpt(data)}", advice)
        elif self.packet_type not in {kinds.DISCONNECT, kinds.CONNECT_ERROR}:
            raise protocol_error(f"a packet of type {self.packet_type}")
        else:
            _dumps(data)  # it will be shown


def _check_announced(text: str) -> None:
    """Before anything is made of it: the number of attachments that a packet announces."""
    announced = text[1:].partition("-")[0] if "-" in text[: LONGEST_CONTROL + 1] else ""
    if not announced or not _DIGITS.issuperset(announced):
        raise protocol_error(f"a binary packet without its number of attachments: {text[:SHAPE_LIMIT]!r}")
    if len(announced) > len(str(MOST_ATTACHMENTS)) or int(announced) > MOST_ATTACHMENTS:
        raise TooLarge("message_too_large", f"{announced} attachments announced; at most {MOST_ATTACHMENTS} are taken")


def older_connect(text: str) -> str | None:
    """The namespace that a server of Socket.IO 2 says is connected, which it says of "/" without being asked; None:
    the packet is another one."""
    found = _OLDER_CONNECT.fullmatch(text[: LONGEST_CONTROL + 1])
    return None if found is None else found[1] or "/"


def check_engine(text: str) -> None:
    """Whether `text` is an Engine.IO packet that may be read. Raises BrokenTransport."""
    kind = text[:1]
    if kind not in _ENGINE_TYPES or not kind:
        raise protocol_error(f"not an Engine.IO packet: {text[:SHAPE_LIMIT]!r}")
    if kind == MESSAGE:
        if text[1:2] not in _DIGITS or len(text) == 1:
            raise protocol_error(f"not a Socket.IO packet: {text[:SHAPE_LIMIT]!r}")
    elif kind != OPEN and len(text) > LONGEST_CONTROL:
        raise protocol_error(f"an Engine.IO packet of type {kind} with {len(text)} characters")
    elif kind == PING and not (len(text) == 1 or (text.isascii() and text.isalnum())):
        raise protocol_error(f"a ping that says {text[1:]!r}")  # which we are to say again


def event_document(parts: list[Any]) -> bytes:
    """An event's whole payload as a mapping reads it."""
    return document(parts[0], parts[1:])


def document(event: str, args: list[Any]) -> bytes:
    """What a mapping reads. Raises TooLarge."""
    return _dumps({"event": event, "data": args[0] if args else None, "args": args})


def quick_document(payload: bytes) -> bytes:
    """The same from an event packet's payload as it came, without the packet class: that one costs more than all else
    that is done with an event. A short one stays as it came, and is not written anew. Raises as the class does."""
    try:
        parts = orjson.loads(payload)  # no call around it: this is per chunk
    except orjson.JSONDecodeError as exc:
        return event_document(_named(_lenient(payload, exc)))
    if type(parts) is list and len(parts) == 2 and type(parts[0]) is str and len(payload) <= SHORT:
        begin, size, form = _opening(parts[0])
        if payload.startswith(begin) and payload[-1] == END:
            data = payload[size:-1]
            return form % (data, data)
    return event_document(_named(parts))


def _named(parts: Any) -> list[Any]:
    """What an event's payload must be. Raises BrokenTransport."""
    if type(parts) is not list or not parts or type(parts[0]) is not str:
        raise protocol_error(f"an event without a name: {excerpt(parts)}")
    return parts


@lru_cache(maxsize=256)
def _opening(name: str) -> tuple[bytes, int, bytes]:
    """Of an event of this name: how its payload begins as most servers write it, how long that is, and the document
    of its one argument, which stands in it twice."""
    written = orjson.dumps(name)
    begin = b"[%b," % written
    return begin, len(begin), b'{"event":%b,"data":%%b,"args":[%%b]}' % written.replace(b"%", b"%%")


def text_of(data: bytes) -> str:
    """A text message. Raises BrokenTransport."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise BrokenTransport("utf8_invalid", f"byte {exc.start} of a packet is not UTF-8") from exc


def is_event(seen: bytes, name: str) -> bool:
    """Whether a document is that of the event `name`."""
    return seen.startswith(b'{"event":%b,"data":' % orjson.dumps(name))


def _lenient(payload: bytes, error: orjson.JSONDecodeError) -> Any:
    try:
        return lenient(payload, error)
    except orjson.JSONDecodeError as exc:
        raise unreadable(payload, exc) from exc


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return _odd_dumps(value)


def _odd_dumps(value: Any) -> bytes:
    """For values that orjson cannot serialise."""
    try:
        return dumps(value)
    except TypeError as exc:  # what was JSON can be JSON again, unless it is deeper than orjson writes
        raise TooLarge("message_too_deep", "the JSON of a packet is nested too deeply") from exc


def excerpt(value: Any) -> str:
    return _dumps(value)[:SHAPE_LIMIT].decode(errors="replace")


def unreadable(text: str | bytes, error: orjson.JSONDecodeError) -> TurnError:
    """What a payload that is not JSON costs."""
    if is_too_deep(error):
        return TooLarge("message_too_deep", "the JSON of a packet is nested too deeply")
    try:
        text = text_of(text) if isinstance(text, bytes) else text
    except BrokenTransport as exc:
        return exc
    return BadAnswer("json_invalid", f"{error}: {text[:SHAPE_LIMIT]!r}")


def refused(data: Any) -> BrokenTransport:
    """The text of a CONNECT_ERROR's payload."""
    said = error_text(data) if data else "no reason given"
    return BrokenTransport("socketio_refused", said, "check the namespace, and what the target expects as `auth`")


def arguments(request: RenderedRequest, *, packed: bool) -> list[Any]:
    """The arguments of the event that a turn emits: a body that is a list has several, none and null have none.
    `packed`: the target's codecs made the body, which is one text then. Raises BadRequest."""
    if not request.event:
        raise BadRequest("request_invalid", "request.event is empty: it names the event to emit")
    if not request.body:
        return []
    try:
        if packed:
            return [request.body.decode()]
        value = orjson.loads(request.body)
    except UnicodeDecodeError as exc:
        advice = "end codec.request with base64"
        raise BadRequest("request_invalid", "what the codecs made of the body is not text", advice) from exc
    except orjson.JSONDecodeError as exc:
        raise BadRequest("request_invalid", f"the body is not JSON: {exc}") from exc
    if value is None:
        return []
    return value if type(value) is list else [value]
