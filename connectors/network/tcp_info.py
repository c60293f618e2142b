"""Reads the kernel's information about a TCP connection."""

from __future__ import annotations

import socket
import struct
import sys

_TCP_INFO_BYTES = 104
_TCPI_RTT = struct.Struct("I")
_RTT_BYTES = 152
_MIN_RTT_AT = 148
"""Where Linux's struct tcp_info has tcpi_min_rtt (microseconds)."""
_RTT_UNKNOWN = 0xFFFFFFFF


def round_trip_ns(sock: socket.socket) -> int:
    """The shortest round trip of a TCP connection as measured by the kernel; 0 if unknown. It is reduced by a tenth:
    nothing that arrives sooner after a message can be an answer to it."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT_BYTES)
    except (OSError, AttributeError):
        return 0
    if len(info) < _RTT_BYTES:
        return 0
    micros = int.from_bytes(info[_MIN_RTT_AT:], sys.byteorder)
    return 0 if micros == _RTT_UNKNOWN else micros * 900


def kernel_connect_ns(sock: socket.socket) -> int | None:
    """Duration of the TCP handshake by the kernel's clock, read right after it; None if unknown or if packets were
    lost. A busy event loop notices a connection late, which must not count as the target's time."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except (OSError, AttributeError):
        return None
    if len(info) < _TCP_INFO_BYTES:
        return None
    rtt_us, retransmissions = _TCPI_RTT.unpack_from(info, 68)[0], _TCPI_RTT.unpack_from(info, 100)[0]
    return rtt_us * 1000 if rtt_us and not retransmissions else None
