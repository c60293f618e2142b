"""Hostile WebSocket servers: breaches of the protocol, early ends, wrong words, and what is unusual but allowed."""

from __future__ import annotations

import json
import socket
import zlib

from tests.hostile.frames import (
    BINARY,
    CLOSE,
    CONT,
    DEFLATE,
    END_OF_BLOCK,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXTUAL,
    accepted,
    frame,
    read_message,
    wait,
)
from tests.hostile.server import Peer
from tests.hostile.sse import TEXT, WORDS
from tests.hostile.table import hostile
from tests.hostile.websocket import ANSWER, DONE, PIECES, _asked, _begin, piece, says

# --- not allowed -------------------------------------------------------------------------------------------------


says("masked_frame", "ws_protocol", b"\x81\x82\x01\x02\x03\x04zz" + DONE)
says("packed_though_not_agreed", "ws_protocol", frame(piece("x"), TEXTUAL, FIN | RSV1))


@hostile("websocket", "ws_protocol")
def websocket_packed_badly(peer: Peer) -> None:
    _asked(peer, DEFLATE)
    peer.send(frame(b"\xff\xfe\xfd this is not deflate", TEXTUAL, FIN | RSV1))
    peer.hold()


says("reserved_bit", "ws_protocol", frame(piece("x"), TEXTUAL, FIN | 0x20))
says("reserved_opcode", "ws_protocol", frame(piece("x"), 0x3))
says("reserved_control_opcode", "ws_protocol", frame(b"", 0xB))
says("continues_nothing", "ws_protocol", frame(piece("x"), CONT))
says("begins_a_message_in_another", "ws_protocol", frame(b'{"delta":', TEXTUAL, 0) + DONE)
says("ping_in_pieces", "ws_protocol", frame(b"half", PING, 0))
says("long_ping", "ws_protocol", frame(b"x" * 126, PING))
says("close_of_one_byte", "ws_protocol", frame(b"\x03", CLOSE))
says("close_with_a_code_that_is_none", "ws_protocol", frame((999).to_bytes(2, "big"), CLOSE))
says("close_reason_not_utf8", "utf8_invalid", frame((1000).to_bytes(2, "big") + b"\xff\xfe", CLOSE))
says("invalid_utf8", "utf8_invalid", frame(b'{"delta": "\xc3\x28"}') + DONE)


# --- the end comes early -----------------------------------------------------------------------------------------


says("close_without_code", "ws_closed_1005", frame(b"", CLOSE))
says("close_1011_in_mid_answer", "ws_closed_1011", frame((1011).to_bytes(2, "big") + b"out of tokens", CLOSE))
says(
    "close_in_mid_message", "ws_closed_4002", frame(b'{"delta":', TEXTUAL, 0) + frame((4002).to_bytes(2, "big"), CLOSE)
)


@hostile("websocket", "ws_closed_1000")
def websocket_close_before_any_answer(peer: Peer) -> None:
    _asked(peer)
    peer.send(frame((1000).to_bytes(2, "big"), CLOSE))


@hostile("websocket", "connection_closed")
def websocket_fin_without_close(peer: Peer) -> None:
    _begin(peer)


@hostile("websocket", "connection_closed")
def websocket_half_closes(peer: Peer) -> None:
    """It still listens; it will say nothing more."""
    _begin(peer)
    peer.send(PIECES[1][:5])
    peer.sock.shutdown(socket.SHUT_WR)
    peer.hold()


@hostile("websocket", "connection_reset")
def websocket_resets_in_mid_frame(peer: Peer) -> None:
    _begin(peer)
    peer.send(PIECES[1][:5])
    wait(peer, 0.05)
    peer.reset()


@hostile("websocket", "connection_reset")
def websocket_resets_right_behind_half_a_frame(peer: Peer) -> None:
    _begin(peer)
    peer.send(PIECES[1][:5])
    peer.reset()


# --- what it says is wrong ---------------------------------------------------------------------------------------


says("deeply_nested_json", "message_too_deep", frame(b"[" * 20_000 + b"]" * 20_000))
says("not_json", "json_invalid", frame(b"Internal Server Error"))
says("error_in_the_stream", "target_error", frame(b'{"error": {"message": "overloaded"}}'))


# --- unusual, and allowed ----------------------------------------------------------------------------------------


@hostile("websocket", None, TEXT)
def websocket_talks_right_behind_the_101(peer: Peer) -> None:
    """An unrequested greeting, in the segment of the 101 and after it."""
    peer.send(accepted(peer.read_request()) + frame(b'{"delta": "welcome"}') + frame(b"", PING))
    read_message(peer)
    peer.send(ANSWER)
    peer.hold()


@hostile("websocket", None, TEXT)
def websocket_all_in_one_write(peer: Peer) -> None:
    _asked(peer)
    peer.send(ANSWER + PIECES[0] + frame((1000).to_bytes(2, "big"), CLOSE))
    peer.hold()


@hostile("websocket", None, TEXT)
def websocket_split_anywhere(peer: Peer) -> None:
    _asked(peer)
    long = json.dumps({"delta": WORDS[-1], "padding": "x" * 300}).encode()
    for byte in b"".join(PIECES[:-1]) + frame(long) + DONE:
        peer.send(bytes([byte]))
    peer.hold()


@hostile("websocket", None, TEXT)
def websocket_in_fragments_between_pings(peer: Peer) -> None:
    _asked(peer)
    for word in WORDS:
        data = piece(word)
        peer.send(frame(data[:3], TEXTUAL, 0) + frame(b"?", PING) + frame(b"", CONT, 0))
        peer.send(frame(data[3:7], CONT, 0) + frame(b"", PONG) + frame(data[7:], CONT))
    peer.send(DONE)
    peer.hold()


@hostile("websocket", None, TEXT)
def websocket_long_messages(peer: Peer) -> None:
    """Of each of the three kinds of length."""
    _asked(peer)
    for word, size in zip(WORDS, (0, 200, 60_000, 65_400), strict=True):
        peer.send(frame(json.dumps({"delta": word, "padding": "x" * size}).encode(), BINARY))
    peer.send(DONE)
    peer.hold()


@hostile("websocket", None, TEXT)
def websocket_packed_and_plain_by_turns(peer: Peer) -> None:
    _asked(peer, DEFLATE)
    packer = zlib.compressobj(9, wbits=-15)
    for at, word in enumerate(WORDS):
        if at % 2:
            peer.send(PIECES[at])
            continue
        packed = packer.compress(piece(word)) + packer.flush(zlib.Z_SYNC_FLUSH)
        packed = packed.removesuffix(END_OF_BLOCK)
        peer.send(
            frame(packed[:2], TEXTUAL, RSV1) + frame(packed[2:], CONT) if at else frame(packed, TEXTUAL, FIN | RSV1)
        )
    peer.send(DONE)
    peer.hold()


@hostile("websocket", None, TEXT)
def websocket_packed_afresh_each_time(peer: Peer) -> None:
    """No message may lean on the one before."""
    _asked(peer, DEFLATE + "; server_no_context_takeover")
    for word in WORDS:
        packer = zlib.compressobj(9, wbits=-15)
        packed = packer.compress(piece(word)) + packer.flush(zlib.Z_SYNC_FLUSH)
        peer.send(frame(packed.removesuffix(END_OF_BLOCK), TEXTUAL, FIN | RSV1))
    peer.send(DONE)
    peer.hold()
