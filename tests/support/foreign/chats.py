"""Chats with the servers of other makers in tests/peers/, as they were recorded between a client and the server.

tests/recordings/foreign/ has a HAR file (made by tests/support/servers/recorder.py), or a curl line with what it
printed, for each. index.json says which server it is, what asked it (the maker's own client where there is one, else
curl or our probe), and what has to be learned: preset, params, the last message and its answer, or what cannot be told
(`untold`). `stateless`: each turn stands alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.foreign.peers import Peer
from tests.support.recordings import RECORDINGS
from tokenburn_site.cli.probe.main import main
from tokenburn_site.management.commands.probe import Command

FOREIGN = RECORDINGS / "foreign"
HOST = "peer.example:8000"


class ForeignChat(NamedTuple):
    name: str
    server: str
    expected: dict[str, Any]

    def __str__(self) -> str:
        return self.name

    @property
    def file(self) -> str:
        return str(self.expected["file"])

    @property
    def text(self) -> str:
        return (FOREIGN / self.file).read_text("utf-8")

    def recorded_at(self, peer: Peer, folder: Path) -> Path:
        """A file as it would be if that server had been recorded."""
        file = folder / self.file
        file.write_text(self.text.replace(HOST, f"127.0.0.1:{peer.port}"), "utf-8")
        return file


def foreign_chats(*servers: str) -> list[ForeignChat]:
    """All of them, or those of some servers."""
    index = json.loads((FOREIGN / "index.json").read_text("utf-8"))
    found = [ForeignChat(name, row["server"], row) for name, row in index.items()]
    return [chat for chat in found if not servers or chat.server in servers]


def check_learned(chat: ForeignChat, peer: Peer, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`probe --learn --try` holds a conversation of two turns with the server: what it reads is what was sent."""
    messages = [f"{chat} learned {turn}" for turn in (1, 2)]
    prompts = [word for message in messages for word in ("--prompt", message)]
    given = ["--learn", str(chat.recorded_at(peer, folder)), "--try", "--json", *prompts]
    assert main(vars(Command().create_parser("manage.py", "probe").parse_args(given))) == 0
    said = [turn["text"] for turn in json.loads(capsys.readouterr().out)["turns"]]
    assert list(zip(messages, said, strict=True)) == peer.sent(f"{chat} learned")
    counts = ["1", "1"] if chat.expected.get("stateless") else ["1", "2"]
    assert [text.partition(":")[0] for text in said] == counts
