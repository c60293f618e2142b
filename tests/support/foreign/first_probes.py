"""The commands of docs/first-probe.md, typed against the servers in tests/peers/."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.foreign.peers import Peer
from tests.support.processes import ROOT
from tokenburn_site.cli.probe.main import main
from tokenburn_site.management.commands.probe import Command

PAGE = ROOT / "docs" / "first-probe.md"
FILE = re.compile(r"^`([\w.]+)`:\n\n```json\n(.*?)```$", re.MULTILINE | re.DOTALL)
WITH_A_VALUE = {"--preset", "--param", "--overrides"}


class FirstProbe(NamedTuple):
    server: str
    url: str
    options: str

    def __str__(self) -> str:
        return f"{self.server} {self.options}"

    @property
    def beside_the_preset(self) -> int:
        """How many options there are more."""
        words = shlex.split(self.options)
        assert set(words[::2]) & WITH_A_VALUE, words
        return sum(word.startswith("--") for word in words) - 1


def first_probes(*servers: str) -> list[FirstProbe]:
    """The rows of the page's table for these servers."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:4]]
        for line in PAGE.read_text("utf-8").splitlines()
        if "PORT" in line and line[0] == "|"
    ]
    found = [FirstProbe(server.split("`")[1], url.strip("`"), options.strip("`")) for server, url, options in rows]
    return [one for one in found if one.server in servers]


def files() -> dict[str, str]:
    """The JSON files that the page has."""
    return dict(FILE.findall(PAGE.read_text("utf-8")))


def check_first_probe(
    one: FirstProbe,
    peer: Peer,
    folder: Path,
    secrets: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command as the page has it is answered, with the text that the server wrote down."""
    assert one.beside_the_preset <= 1
    monkeypatch.chdir(folder)
    for name, text in files().items():
        (folder / name).write_text(text, "utf-8")
    for name, value in secrets.items():
        monkeypatch.setenv(f"TOKENBURN_SECRET_{name.upper()}", value)
    hello = f"{one} probed first"
    given = ["--url", one.url.replace("PORT", str(peer.port)), *shlex.split(one.options), "--prompt", hello, "--json"]
    assert main(vars(Command().create_parser("manage.py", "probe").parse_args(given))) == 0
    (turn,) = json.loads(capsys.readouterr().out)["turns"]
    assert [(hello, turn["text"])] == peer.sent(hello)
