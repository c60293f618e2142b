"""Carries requests that belong together, such as a handshake's steps: those to one place over one connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from connectors.http.endpoint import Endpoint


class Closable(Protocol):
    def close(self) -> None: ...


E = TypeVar("E", bound=Closable)


class Carrier(Generic[E]):
    """What the lanes share. `own`: the exchange of the turns, at `endpoint`, which carries what goes there, and stays
    open; None: no connection is kept. `note_step` is told how long it took to open that one before a step (None: nobody
    is). `new` makes an exchange with another place."""

    def __init__(
        self,
        endpoint: Endpoint,
        own: E | None,
        note_step: Callable[[str, int], None] | None,
        new: Callable[[Endpoint], E],
    ) -> None:
        self._own = own
        self._note_step = note_step
        self._new = new
        self._steps: dict[str, int] = {}
        self._exchanges: list[tuple[Endpoint, E]] = [] if own is None else [(endpoint, own)]

    def _exchange(self, endpoint: Endpoint) -> E:
        found = next((exchange for place, exchange in self._exchanges if place == endpoint), None)
        if found is None:
            found = self._new(endpoint)
            self._exchanges.append((endpoint, found))
        return found

    def _note(self, step: str, ns: int) -> None:
        """A target may close the connection after each answer, so that it is opened several times."""
        self._steps[step] = ns + self._steps.get(step, 0)
        if self._note_step is not None:
            self._note_step(step, self._steps[step])

    def close(self) -> None:
        """The turns' own exchange stays open."""
        for _, exchange in self._exchanges:
            if exchange is not self._own:
                exchange.close()
