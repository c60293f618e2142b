"""The WebSocket of the live page: sends the run's Redis stream from the last id that the page has seen.

Server to page, JSON objects: {"type": "entries", "entries": [[id, kind, data], ..]}; {"type": "gap"}: entries after
the page's last id are no longer kept; {"type": "state", "status", "reason", "feed"} when one of them changed;
{"type": "end", "status", "reason"}, then the socket closes with ENDED. The page sends nothing: whoever does is no page,
and is disconnected. One user may have MAX_SOCKETS of them in a web process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import redis
import redis.asyncio
from autobahn.exception import Disconnected
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from metrics.end_codes import plain_reason
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.live_stream import Entry, read_since_async, stream_key
from runs.models import Run
from runs.permissions import may_read_texts, may_view
from runs.reporting.texts import plain_entry
from runs.web.still_allowed import LOOK_EVERY_S, present_user
from runs.workers.availability import shown_reason

logger = logging.getLogger(__name__)
ENDED = 4000
NO_RUN = 4404
NO_RIGHT = 4403
TOO_MANY = 4429
NO_PAGE = 4400
FAILED = 4500
"""Closing codes. The server refuses to send those that the protocol reserves."""
MAX_SOCKETS = 50
"""Each takes two file descriptors and a query every few seconds."""
open_sockets: Counter[Any] = Counter()
"""Of this process, by user."""
BLOCK_MS = 1000
BATCH = 500
MESSAGE_BYTES = 250_000
"""About the most that one message has: the server refuses to send 1 MB or more, which a batch of a busy run has."""
RETRY_S = 2.0
STREAM_ID = re.compile(r"\d{1,19}(-\d{1,19})?", re.ASCII)  # 19 digits: Redis rejects numbers beyond 64 bits


class RunConsumer(AsyncWebsocketConsumer):
    """One page's view of one run."""

    async def connect(self) -> None:
        self.run_id: int = self.scope["url_route"]["kwargs"]["pk"]
        self.last_id = _last_id(self.scope["query_string"])
        self.texts = False
        self.shown: tuple[str, str, bool] | None = None
        self.key: str | None = None  # of the stream, once known
        self.follower: asyncio.Task[None] | None = None
        self.left = False
        if not same_origin(self.scope["headers"]):
            await self.close(NO_RIGHT)
            return
        if not await self._may_view():
            await self.close(NO_RIGHT)
            return
        state = await self._state()
        if state is None:
            await self.close(NO_RUN)
            return
        await self.accept()
        owner = self.scope["user"].pk
        if open_sockets[owner] >= MAX_SOCKETS:
            await self.close(TOO_MANY)
            return
        self.follower = asyncio.create_task(self._follow())
        open_sockets[owner] += 1
        self.follower.add_done_callback(lambda _: _count_out(owner))

    async def disconnect(self, code: int) -> None:
        await self._stop_following()

    async def _stop_following(self) -> None:
        """A database call in a thread can swallow the cancellation: then `left` ends the loop within BLOCK_MS."""
        self.left = True
        if self.follower is not None:
            self.follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.follower

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self._stop_following()
        await self.close(NO_PAGE)

    async def _follow(self) -> None:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=BLOCK_MS / 1000 + 5, socket_connect_timeout=2
        )
        try:
            await self._until_the_end(client)
        except Disconnected:
            pass  # daphne says so by this: the page left while something was sent to it
        except Exception:
            logger.exception("live_socket_failed: run %s", self.run_id)
            await self.close(FAILED)
        finally:
            await client.aclose()

    async def _until_the_end(self, client: redis.asyncio.Redis) -> None:
        looked, check_gap = -math.inf, True
        while not self.left:
            entries, feed = await self._read(client, check_gap)
            # Unavailable, or behind: the stream may have been trimmed in between.
            check_gap = not feed or len(entries) == BATCH
            if time.monotonic() - looked < LOOK_EVERY_S and feed and not _says_end(entries):
                continue
            looked = time.monotonic()
            state = await self._state()
            if state is None or not await self._may_view():
                await self.close(NO_RUN if state is None else NO_RIGHT)
                return
            status, reason = state
            if self.shown != (status, reason, feed):
                self.shown = (status, reason, feed)
                await self._say("state", status=status, reason=reason, feed=feed)
            if status in RUN_TERMINAL and not entries:
                await self._say("end", status=status, reason=reason)
                await self.close(ENDED)
                return
            if not feed:
                await asyncio.sleep(RETRY_S)

    async def _read(self, client: redis.asyncio.Redis, check_gap: bool) -> tuple[list[Entry], bool]:
        """New entries, which have been sent on, and whether the stream could be read at all."""
        try:
            key = self.key = self.key or await database_sync_to_async(stream_key)(self.run_id)
            if check_gap and await _was_cut(client, key, self.last_id):
                await self._say("gap")
            entries = await read_since_async(client, key, self.last_id, BATCH, BLOCK_MS)
        except (redis.RedisError, OSError):
            return [], False
        if entries:
            self.last_id = entries[-1].id
            for part in in_messages(entries if self.texts else [plain_entry(entry) for entry in entries]):
                await self.send(text_data=part.decode())
        return entries, True

    async def _say(self, kind: str, **fields: Any) -> None:
        await self.send(text_data=orjson.dumps({"type": kind, **fields}).decode())

    @database_sync_to_async
    def _state(self) -> tuple[str, str] | None:
        run = Run.objects.only("status", "reason", "end_code", "local").filter(pk=self.run_id).first()
        if run is None:
            return None
        reason = shown_reason(run)
        return run.status, reason if self.texts else plain_reason(run.end_code, reason)

    @database_sync_to_async
    def _may_view(self) -> bool:
        """Checked in the database each time, as is what else the user may read."""
        user = present_user(self.scope["session"].session_key)
        self.texts = may_read_texts(user)
        return may_view(user)


class NoConsumer(AsyncWebsocketConsumer):
    """For addresses that belong to no socket: refused like an unknown run, not an error of the server."""

    async def connect(self) -> None:
        await self.close(NO_RUN)


def in_messages(entries: list[Entry]) -> Iterator[bytes]:
    """The entries as messages for the page, in order."""
    parts: list[orjson.Fragment] = []
    size = 0
    for entry in entries:
        part = orjson.dumps(list(entry))
        if parts and size + len(part) > MESSAGE_BYTES:
            yield orjson.dumps({"type": "entries", "entries": parts})
            parts, size = [], 0
        parts.append(orjson.Fragment(part))
        size += len(part)
    if parts:
        yield orjson.dumps({"type": "entries", "entries": parts})


def _count_out(owner: Any) -> None:
    open_sockets[owner] -= 1
    if not open_sockets[owner]:
        del open_sockets[owner]


def same_origin(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the page that opens the socket comes from this very host and port, or from a trusted origin.

    Browsers send cookies to every port of a host, so that Django's ALLOWED_HOSTS alone would let a page of another
    service on the same machine in.
    """
    given = {name: value.decode("latin-1") for name, value in headers if name in {b"origin", b"host"}}
    origin = given.get(b"origin", "")
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return bool(origin) and urlsplit(origin).netloc == given.get(b"host")


def _last_id(query: bytes) -> str:
    """The page's `?last=`; the beginning if there is none or it is not a stream id."""
    given = parse_qs(query.decode("latin-1")).get("last", ["0"])[0]
    return given if STREAM_ID.fullmatch(given) else "0"


def _says_end(entries: list[Entry]) -> bool:
    return any(entry.kind == "status" for entry in entries)


async def _was_cut(client: redis.asyncio.Redis, key: str, last_id: str) -> bool:
    """Whether entries after `last_id` may have been trimmed. Without a stream there is nothing to miss."""
    if not await client.exists(key):
        return False
    facts: dict[str, Any] = await client.xinfo_stream(key)
    if _number(last_id) == (0, 0):
        return bool(facts["entries-added"] > facts["length"])
    oldest = facts["first-entry"]
    return oldest is not None and _number(oldest[0].decode()) > _number(last_id)


def _number(stream_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence or 0)
