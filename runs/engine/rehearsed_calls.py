"""A minimal gRPC server for the rehearsal, frame by frame. grpcio's own server would need threads and take more time
than everything else."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import Final

from google.protobuf import descriptor_pb2

from connectors.grpc.methods import Files, split_name

PREFACE: Final = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
END_STREAM, ACK, END_HEADERS = 1, 1, 4
_Field = descriptor_pb2.FieldDescriptorProto
_ONE, _MANY = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED
_TEXT, _FLAG = _Field.TYPE_STRING, _Field.TYPE_BOOL
_MESSAGES: Final = {
    "Question": (("message", _TEXT, _ONE), ("session", _TEXT, _ONE), ("history", _TEXT, _MANY)),
    "Piece": (("delta", _TEXT, _ONE), ("response", _TEXT, _ONE), ("done", _FLAG, _ONE)),
}
_PIECES: Final = (b"\x0a\x05I am ", b"\x0a\x05well.", b"\x18\x01")


def method_files(method: str) -> Files:
    """Descriptors of a server-streaming `method` (`package.Service/Method`) that takes a text and gives pieces."""
    service, name = split_name(method)
    package, _, service = service.rpartition(".")
    file = descriptor_pb2.FileDescriptorProto(name="rehearsal.proto", package=package, syntax="proto3")
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for number, (field, kind, label) in enumerate(fields, 1):
            made.field.add(name=field, number=number, type=kind, label=label)
    asked, piece = (f".{package}.{message}" for message in _MESSAGES)
    file.service.add(name=service).method.add(name=name, input_type=asked, output_type=piece, server_streaming=True)
    return {file.name: file.SerializeToString()}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each call on one connection, until it ends."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readexactly(PREFACE)
        writer.write(_frame(SETTINGS, 0, 0, b""))
        while True:
            size, kind, flags, stream = struct.unpack(">IBBI", b"\0" + await reader.readexactly(9))
            payload = await reader.readexactly(size)
            if kind in {SETTINGS, PING} and not flags & ACK:
                writer.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == DATA and flags & END_STREAM:
                writer.write(_answer(stream))
    writer.close()


def _answer(stream: int) -> bytes:
    pieces = b"".join(_frame(DATA, 0, stream, struct.pack(">BI", 0, len(piece)) + piece) for piece in _PIECES)
    head = b"\x88" + _header(b"content-type", b"application/grpc")  # :status 200 (RFC 7541, appendix A)
    end = _frame(HEADERS, END_HEADERS | END_STREAM, stream, _header(b"grpc-status", b"0"))
    return _frame(HEADERS, END_HEADERS, stream, head) + pieces + end


def _header(name: bytes, value: bytes) -> bytes:
    """Literal, not indexed, without Huffman's code (RFC 7541, 6.2.2); both shorter than 127 bytes."""
    return b"\0%c%b%c%b" % (len(name), name, len(value), value)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">IBBI", len(payload), kind, flags, stream)[1:] + payload
