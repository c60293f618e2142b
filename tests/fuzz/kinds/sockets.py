"""Sockets of the site: addresses, origins, and frames that nobody awaits."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.conf import settings
from hypothesis import strategies as st

from tests.fuzz.kinds import Fault, Kind, rows
from tests.fuzz.mutations import TEXTS
from tokenburn_site.asgi import application

WAIT_S: Final = 10.0
SILENCE_S: Final = 0.005
Frame = str | bytes


def take_socket(given: dict[str, Any]) -> str:
    return async_to_sync(_asked)(given, rows.rows().ids, _session())


def _session() -> str:
    return f"{settings.SESSION_COOKIE_NAME}={rows.browser().cookies[settings.SESSION_COOKIE_NAME].value}"


async def _asked(given: dict[str, Any], ids: dict[str, int], session: str) -> str:
    path = given["path"].replace("<run>", str(ids["run"])).replace("<running>", str(ids["running"]))
    headers = [(b"host", b"localhost:8000"), (b"origin", given["origin"]), (b"cookie", given["cookie"])]
    if given["as_user"]:
        headers[2] = (b"cookie", session.encode())
    socket = WebsocketCommunicator(application, "/", [header for header in headers if header[1]])
    socket.scope |= {"path": path, "query_string": given["query"]}
    try:
        accepted, code = await socket.connect(timeout=WAIT_S)
        if not accepted:
            return f"refused with {code}"
        for frame in given["frames"]:
            await socket.send_to(**{"text_data" if isinstance(frame, str) else "bytes_data": frame})
        await asyncio.sleep(SILENCE_S)
        if socket.future.done() and socket.future.exception() is not None:
            raise Fault(repr(socket.future.exception()))
        await socket.disconnect(timeout=WAIT_S)
    except TimeoutError:
        raise Fault("the socket neither accepts nor closes") from None
    return "accepted"


def _sockets() -> st.SearchStrategy[dict[str, Any]]:
    rooms = st.sampled_from(["/ws/runs/<running>/", "/ws/runs/<run>/", "/ws/runs/<running>", "/ws/", "/", "//"])
    paths = st.one_of(rooms, rooms, st.builds("/ws/runs/{}/".format, st.sampled_from(TEXTS)), st.text(max_size=9))
    last = st.sampled_from([b"0", b"1-1", b"9" * 19, b"9" * 30, b"-1", b"%00", b"%ff", b"\xff", b"$", b">", b"1-", b""])
    texts = st.one_of(st.sampled_from(TEXTS), st.binary(max_size=50), st.just(b"\x00" * 70_000), st.text(max_size=9))
    frame = texts.filter(bool)  # the communicator cannot send an empty one
    return st.fixed_dictionaries({
        "path": paths,
        "query": st.one_of(last.map(b"last=".__add__), st.binary(max_size=9)),
        "origin": st.sampled_from([b"http://localhost:8000"] * 5 + [b"", b"null", b"http://[", b"\xff", b"http://evil"]),
        "cookie": st.one_of(st.just(b""), st.binary(max_size=20), st.just(b"sessionid=" + b"x" * 5000)),
        "as_user": st.sampled_from([True, True, True, False]),
        "frames": st.lists(frame, max_size=4),
    })  # fmt: skip


KINDS: Final = [Kind("sockets", 3, _sockets, take_socket)]
