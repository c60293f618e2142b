"""Runs what cannot be interrupted, and does not wait for it for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")


class OutOfTimeError(Exception):
    """The work goes on in its thread, and nobody waits for it any longer."""


def in_time(work: Callable[[], Result], limit_s: float, name: str) -> Result:
    """What `work` returns or raises, in a daemon thread called `name`. Raises OutOfTimeError after `limit_s`."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(exc)

    threading.Thread(target=run, name=name, daemon=True).start()
    wait([future], limit_s)
    if not future.done():
        raise OutOfTimeError
    return future.result()
