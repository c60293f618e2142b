"""Attachments as servers of other makers read them: each writes down what came beside a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attachments.generated import generated
from connectors.registry import Lane
from connectors.spec import TargetSpec
from targets.probe import probe
from tests.support.foreign.peers import Peer

ATTACHED: Final = frozenset({"ai", "agents"})
"""Servers that write down what they got."""
FILES: Final = (generated("png", 20_000, "a"), generated("pdf", 3_000, "a"))


def check_attachments(server: str, spec: TargetSpec, peer: Peer, lanes: Sequence[Lane], name: str) -> None:
    """A probe with an image and a file arrives whole, where they can be sent and are written down."""
    for lane in lanes if server in ATTACHED and spec.attachments is not None else ():
        message = f"[{name}] {lane} looks"
        found = probe(spec, [message], attached=FILES, lane=lane)
        assert found.ok, found.turns[-1].error
        [got] = peer.entries(message)
        assert got["attached"] == [[file.type, file.size] for file in FILES]
