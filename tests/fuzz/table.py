"""All kinds of inputs by name."""

from __future__ import annotations

from typing import Final

from tests.fuzz.kinds import Kind, broker, scenarios, site, sockets, targets

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind for kind in (*targets.KINDS, *scenarios.KINDS, *site.KINDS, *broker.KINDS, *sockets.KINDS)
}
