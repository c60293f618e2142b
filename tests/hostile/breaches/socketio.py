"""Hostile Socket.IO servers that get as far as an answer: too much, too slow, nonsense, and what is odd but allowed."""

from __future__ import annotations

from tests.hostile.frames import BINARY, CLOSE, frame, wait
from tests.hostile.server import Peer
from tests.hostile.socketio import (
    ANSWER,
    DONE,
    LAST,
    NAMESPACE,
    OPENED,
    PIECES,
    PING,
    USAGE,
    _asked,
    _begin,
    acknowledged,
    event,
    message,
    packet,
    piece,
    says,
)
from tests.hostile.sse import TEXT
from tests.hostile.table import hostile

# --- too much ----------------------------------------------------------------------------------------------------


@hostile("socketio", "message_too_large")
def socketio_huge_number_of_attachments(peer: Peer) -> None:
    _begin(peer)
    peer.send(message("51000000-", ["delta", {"_placeholder": True, "num": 0}]))
    peer.send_forever(frame(b"x" * 1000, BINARY))


says(
    "huger_number_of_attachments",
    "message_too_large",
    message("51000000000000-", ["delta", {"_placeholder": True, "num": 0}]),
)


@hostile("socketio", "body_too_large")
def socketio_endless_attachments(peer: Peer) -> None:
    """Each packet, and each attachment, is within its limit; all of them are not within the turn's."""
    _begin(peer)
    peer.send_forever(message("564-", ["noise"]) + frame(b"x" * 1000, BINARY) * 64)


@hostile("socketio", "message_too_large")
def socketio_huge_packet(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(piece("x" * 2_000_000))


@hostile("socketio", "message_too_large")
def socketio_huge_attachment(peer: Peer) -> None:
    _begin(peer)
    peer.send(message("51-", ["delta", {"_placeholder": True, "num": 0}]))
    peer.send_forever(frame(b"x" * 2_000_000, BINARY))


@hostile("socketio", "body_too_large")
def socketio_endless_answer(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(PIECES[1] * 500)


@hostile("socketio", "body_too_large")
def socketio_endless_events_in_another_namespace(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(event("delta", {"text": "x"}, "/other") * 500)


@hostile("socketio", "socketio_protocol")
def socketio_endless_pings(peer: Peer) -> None:
    """A flood, from a server that reads none of the answers."""
    _begin(peer)
    peer.send_forever(PING * 1000)


@hostile("socketio", "socketio_protocol")
def socketio_endless_events_to_acknowledge(peer: Peer) -> None:
    _begin(peer)
    peer.send_forever(packet(f'42{NAMESPACE},7["noise"]') * 1000)


says("deeply_nested_json", "message_too_deep", packet(f"42{NAMESPACE}," + '["delta",' + "[" * 20_000 + "]" * 20_001))
says(
    "nested_too_deeply_to_be_written_again",
    "message_too_deep",
    packet(f"42{NAMESPACE}," + '["delta",' + "[" * 500 + "]" * 501),
)
says(
    "deeply_nested_around_an_attachment",
    "message_too_deep",
    packet(f"451-{NAMESPACE}," + '["delta",' + "[" * 900 + "]" * 901) + frame(b"x", BINARY),
)


# --- too slow ----------------------------------------------------------------------------------------------------


@hostile("socketio", "first_byte_timeout")
def socketio_silence(peer: Peer) -> None:
    _asked(peer)
    peer.hold()


@hostile("socketio", "first_byte_timeout")
def socketio_nothing_but_pings(peer: Peer) -> None:
    """Signs of life are no answer."""
    _asked(peer)
    while True:
        peer.send(PING)
        wait(peer, 0.1)


@hostile("socketio", "total_timeout")
def socketio_pings_instead_of_the_rest(peer: Peer) -> None:
    """Never idle, never anything said."""
    _begin(peer)
    while True:
        peer.send(PING)
        wait(peer, 0.1)


says(
    "attachments_never_sent",
    "idle_timeout",
    message("52-", ["delta", {"_placeholder": True, "num": 0}]) + frame(b"x", BINARY),
)


@hostile("socketio", "idle_timeout")
def socketio_done_never_comes(peer: Peer) -> None:
    _asked(peer)
    peer.send(b"".join(PIECES))
    peer.hold()


says("answers_in_another_namespace", "idle_timeout", event("done", LAST, "/other"))


@hostile("socketio", "idle_timeout")
def socketio_acknowledges_what_nobody_asked(peer: Peer) -> None:
    """0 is where python-socketio keeps its counter."""
    number = _begin(peer)
    peer.send(acknowledged("0", LAST) + acknowledged(number + "1", LAST))
    peer.hold()


# --- nonsense ----------------------------------------------------------------------------------------------------


says("empty_packet", "socketio_protocol", packet(""))
says("no_packet_at_all", "socketio_protocol", packet("hello"))
says("base64_as_for_polling", "socketio_protocol", packet("bAAAA"))
says("unknown_engine_packet", "socketio_protocol", packet("9"))
says("unknown_packet", "socketio_protocol", message("7", ["delta", {}]))
says("message_without_a_packet", "socketio_protocol", packet("4"))
says("second_open_packet", "socketio_protocol", OPENED)
says("ping_with_a_long_story", "socketio_protocol", packet("2" + "x" * 1000))
says("ping_that_cannot_be_said_again", "socketio_protocol", packet('2"\\ud800"'))
says("event_that_is_an_object", "socketio_protocol", message("2", {"delta": "x"}))
says("event_without_a_name", "socketio_protocol", message("2", [{"text": "x"}]))
says("id_of_200_digits", "socketio_protocol", packet(f"42{NAMESPACE},{'9' * 200}[]"))
says("acknowledgement_without_id", "socketio_protocol", message("3", [LAST]))
says("attachments_without_number", "socketio_protocol", message("5-", ["delta"]))
says("attachment_that_nobody_announced", "socketio_protocol", frame(b"x", BINARY))
says("text_for_an_attachment", "socketio_protocol", message("51-", ["delta"]) + PIECES[1])
says(
    "placeholder_of_no_attachment",
    "socketio_protocol",
    message("51-", ["delta", {"_placeholder": True, "num": 7}]) + frame(b"x", BINARY),
)
says("invalid_json", "json_invalid", packet(f'42{NAMESPACE},["delta",{{"text"'))
says("invalid_json_in_another_namespace", "json_invalid", packet('42/other,["delta",{"text"'))
says("invalid_utf8", "utf8_invalid", frame(b'42/generic,["delta",{"text":"w\xff\xfe"}]'))
says("error_event", "target_error", event("error", {"code": "RATE_LIMIT", "message": "too many"}))
says(
    "attachment_for_text",
    "answer_unmatched",
    message("51-", ["delta", {"text": {"_placeholder": True, "num": 0}}]) + frame(b"x", BINARY),
)

# --- the end -----------------------------------------------------------------------------------------------------

says("disconnects_in_the_middle", "connection_closed", message("1"))
says("engine_closes_in_the_middle", "connection_closed", packet("1"))
says("refuses_in_the_middle", "socketio_refused", message("4", {"message": "enough"}))
says("closes_in_the_middle", "ws_closed_1001", frame((1001).to_bytes(2, "big"), CLOSE))


@hostile("socketio", "connection_closed")
def socketio_ends_in_the_middle(peer: Peer) -> None:
    _begin(peer)


@hostile("socketio", "connection_reset")
def socketio_resets_in_the_middle(peer: Peer) -> None:
    _begin(peer)
    peer.pause(0.05)  # the client shall have read what came, so that the reset is what it meets next
    peer.reset()


@hostile("socketio", "connection_reset")
def socketio_resets_right_behind_an_event(peer: Peer) -> None:
    _begin(peer)
    peer.reset()


# --- odd, and to be got through ----------------------------------------------------------------------------------


@hostile("socketio", "answer_unmatched")
def socketio_is_done_without_a_word(peer: Peer) -> None:
    _asked(peer)
    peer.send(event("done", {"usage": USAGE}))
    peer.hold()


@hostile("socketio", None, TEXT)
def socketio_acknowledges_twice(peer: Peer) -> None:
    number = _asked(peer)
    peer.send(acknowledged(number, LAST) * 2)
    peer.hold()


@hostile("socketio", None, TEXT)
def socketio_speaks_in_other_namespaces(peer: Peer) -> None:
    _asked(peer)
    for data in (*PIECES, DONE):
        peer.send(event("delta", {"text": "not for us"}, "/other") + packet('42["delta",{"text":"nor this"}]') + data)
    peer.hold()


@hostile("socketio", None, TEXT)
def socketio_pings_between_attachments(peer: Peer) -> None:
    _asked(peer)
    places = [{"_placeholder": True, "num": number} for number in range(2)]
    sound = message("52-", ["sound", places]) + frame(b"x", BINARY) + PING
    peer.send(sound + frame(b"y", BINARY) + packet("6") + packet("3") + ANSWER)
    peer.hold()


@hostile("socketio", None, TEXT)
def socketio_byte_by_byte(peer: Peer) -> None:
    _asked(peer)
    peer.drip(ANSWER, 0.0005)
    peer.hold()
