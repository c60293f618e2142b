"""Hostile chatbots of the split style whose stream is a WebSocket. Each script serves both kinds of connection, as in
`tests.hostile.split`; what else a WebSocket can do wrong is in `tests.hostile.websocket` and `.upgrade`."""

from __future__ import annotations

from collections.abc import Callable

from tests.hostile.frames import CLOSE, CONT, FIN, PING, RSV1, TEXTUAL, accepted, frame, wait
from tests.hostile.server import BLOCK, Peer
from tests.hostile.split import ACK, wait_for_post
from tests.hostile.sse import TEXT
from tests.hostile.table import head, hostile, whole
from tests.hostile.websocket import ANSWER, DONE, NOISE, PIECES


def serve(peer: Peer, stream: Callable[[Peer], None], ack: bytes = ACK) -> None:
    """POSTs are answered with `ack`; the WebSocket is there, and does `stream` when the first POST was read."""
    request = peer.read_request()
    if not request.startswith(b"GET"):
        while True:
            if ack:
                peer.send(ack)
            peer.read_request()
    peer.send(accepted(request))
    wait_for_post(peer)
    stream(peer)


def good(peer: Peer) -> None:
    """A well-behaved server, for the session beside the hostile one."""
    request = peer.read_request()
    if not request.startswith(b"GET"):
        while True:
            peer.send(ACK)
            peer.read_request()
    peer.send(accepted(request))
    number = 0
    while True:
        number += 1
        wait_for_post(peer, number)
        peer.send(ANSWER)


def _begun(rest: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """A word, and then the rest."""

    def stream(peer: Peer) -> None:
        peer.send(PIECES[0])
        rest(peer)

    return stream


def _then_hold(data: bytes) -> Callable[[Peer], None]:
    def stream(peer: Peer) -> None:
        peer.send(data)
        peer.hold()

    return stream


# --- the POST ----------------------------------------------------------------------------------------------------


@hostile("split-websocket", "http_500")
def split_websocket_post_refused(peer: Peer) -> None:
    serve(peer, Peer.hold, whole(b'{"error":"no"}', status="500 Oops"))


@hostile("split-websocket", "target_error")
def split_websocket_post_says_an_error(peer: Peer) -> None:
    serve(peer, Peer.hold, whole(b'{"error":{"message":"no"}}', status="202 Accepted"))


@hostile("split-websocket", "http_malformed")
def split_websocket_post_answered_with_rubbish(peer: Peer) -> None:
    serve(peer, Peer.hold, b"rubbish\r\n\r\n")


@hostile("split-websocket", "connection_closed")
def split_websocket_post_closed_unanswered(peer: Peer) -> None:
    request = peer.read_request()
    if request.startswith(b"GET"):
        peer.send(accepted(request))
        peer.hold()


@hostile("split-websocket", "first_byte_timeout")
def split_websocket_post_never_answered(peer: Peer) -> None:
    serve(peer, Peer.hold, b"")


# --- silence -----------------------------------------------------------------------------------------------------


@hostile("split-websocket", "first_byte_timeout")
def split_websocket_post_taken_and_nothing_said(peer: Peer) -> None:
    serve(peer, Peer.hold)


@hostile("split-websocket", "first_byte_timeout")
def split_websocket_nothing_but_pings(peer: Peer) -> None:
    def pings(peer: Peer) -> None:
        while True:
            peer.send(frame(b"are you there?", PING))
            wait(peer, 0.05)

    serve(peer, pings)


@hostile("split-websocket", "idle_timeout")
def split_websocket_silence_after_a_word(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0]))


@hostile("split-websocket", "idle_timeout")
def split_websocket_half_a_frame(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + PIECES[1][:9]))


@hostile("split-websocket", "total_timeout")
def split_websocket_pings_instead_of_the_rest(peer: Peer) -> None:
    def pings(peer: Peer) -> None:
        while True:
            peer.send(frame(b"still here", PING))
            wait(peer, 0.1)

    serve(peer, _begun(pings))


# --- too much ----------------------------------------------------------------------------------------------------


@hostile("split-websocket", "message_too_large")
def split_websocket_endless_message(peer: Peer) -> None:
    def fragments(peer: Peer) -> None:
        peer.send(frame(b'{"delta": "', TEXTUAL, 0))
        peer.send_forever(frame(b"x" * 100, CONT, 0) * 100)

    serve(peer, _begun(fragments))


@hostile("split-websocket", "message_too_large")
def split_websocket_huge_length_announced(peer: Peer) -> None:
    def announces(peer: Peer) -> None:
        peer.send(b"\x81\x7f" + (1 << 62).to_bytes(8, "big"))
        peer.send_forever(b"x" * BLOCK)

    serve(peer, _begun(announces))


@hostile("split-websocket", "body_too_large")
def split_websocket_endless_messages(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send_forever(PIECES[1] * 500))


@hostile("split-websocket", "body_too_large")
def split_websocket_endless_empty_messages(peer: Peer) -> None:
    serve(peer, _begun(lambda peer: peer.send_forever((frame(b"") * 10 + NOISE) * 100)))


@hostile("split-websocket", "body_too_large")
def split_websocket_endless_pings(peer: Peer) -> None:
    serve(peer, _begun(lambda peer: peer.send_forever(frame(b"are you still there?", PING) * 1000)))


# --- what it says is wrong ---------------------------------------------------------------------------------------


@hostile("split-websocket", "json_invalid")
def split_websocket_truncated_json(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + frame(b'{"delta": "wor')))


@hostile("split-websocket", "message_too_deep")
def split_websocket_deeply_nested_json(peer: Peer) -> None:
    serve(peer, _then_hold(frame(b"[" * 20_000 + b"]" * 20_000)))


@hostile("split-websocket", "utf8_invalid")
def split_websocket_invalid_utf8(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + frame(b'{"delta": "\xc3\x28"}') + DONE))


@hostile("split-websocket", "target_error")
def split_websocket_error_in_the_stream(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + frame(b'{"error": {"message": "overloaded"}}')))


@hostile("split-websocket", "ws_protocol")
def split_websocket_masked_frame(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + b"\x81\x82\x01\x02\x03\x04zz" + DONE))


@hostile("split-websocket", "ws_protocol")
def split_websocket_packed_though_not_agreed(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + frame(b'{"delta":"x"}', TEXTUAL, FIN | RSV1)))


# --- the end comes early -----------------------------------------------------------------------------------------


@hostile("split-websocket", "ws_closed_1011")
def split_websocket_close_in_mid_answer(peer: Peer) -> None:
    serve(peer, _then_hold(PIECES[0] + frame((1011).to_bytes(2, "big") + b"out of tokens", CLOSE)))


@hostile("split-websocket", "ws_closed_1000")
def split_websocket_close_before_any_answer(peer: Peer) -> None:
    serve(peer, _then_hold(frame((1000).to_bytes(2, "big"), CLOSE)))


@hostile("split-websocket", "connection_closed")
def split_websocket_fin_without_close(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send(PIECES[0]))


@hostile("split-websocket", "connection_reset")
def split_websocket_resets_in_mid_frame(peer: Peer) -> None:
    def resets(peer: Peer) -> None:
        peer.send(PIECES[1][:5])
        wait(peer, 0.05)
        peer.reset()

    serve(peer, _begun(resets))


@hostile("split-websocket", "ws_closed_1013")
def split_websocket_closes_right_behind_the_101(peer: Peer) -> None:
    request = peer.read_request()
    if request.startswith(b"GET"):
        peer.send(accepted(request) + frame((1013).to_bytes(2, "big") + b"try again later", CLOSE))
    peer.hold()


# --- odd, and allowed -------------------------------------------------------------------------------------------


@hostile("split-websocket", None, TEXT)
def split_websocket_post_answered_with_nothing(peer: Peer) -> None:
    serve(peer, _then_hold(ANSWER), head(status="204 No Content"))


@hostile("split-websocket", None, TEXT)
def split_websocket_post_never_answered_though_all_is_said(peer: Peer) -> None:
    serve(peer, _then_hold(ANSWER), b"")


@hostile("split-websocket", None, TEXT)
def split_websocket_closes_behind_the_answer(peer: Peer) -> None:
    serve(peer, lambda peer: peer.send(ANSWER + frame((1000).to_bytes(2, "big"), CLOSE)))


@hostile("split-websocket", None, TEXT)
def split_websocket_in_single_bytes(peer: Peer) -> None:
    def slowly(peer: Peer) -> None:
        for at in range(len(ANSWER)):
            peer.send(ANSWER[at : at + 1])
        peer.hold()

    serve(peer, slowly)
