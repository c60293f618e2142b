"""A server of another maker as a child process, which writes down what it sends (tests/peers/ has the programs)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.processes import ROOT, read_json_line
from tokenburn_site.local.ports import wait_until
from tokenburn_site.local.process_groups import ProcessGroups


@dataclass(frozen=True)
class Peer:
    """A running server and the file in which it writes what it sends."""

    server: str
    port: int
    log: Path

    def entries(self, prefix: str) -> list[dict[str, Any]]:
        """Of each answer to a message that begins with `prefix`."""
        entries = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [entry for entry in entries if entry["message"].startswith(prefix)]

    def sent(self, prefix: str) -> list[tuple[str, str]]:
        """(message, text) of each of them."""
        return [(entry["message"], entry["text"]) for entry in self.entries(prefix)]


@contextmanager
def served(
    family: ProcessGroups, directory: Path, server: str, *argv: str | Path, more: tuple[str, ...] = ()
) -> Iterator[Peer]:
    """A server that takes its log's path (and `more`), prints its port and ends when its stdin does."""
    log = directory / "sent.jsonl"
    log.touch()
    with (directory / "stderr.log").open("wb") as stderr:
        child = family.start(
            [*argv, log, *more],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
        )
    try:
        yield Peer(server, int(read_json_line(child)["port"]), log)
    finally:
        family.stop(child)
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def commanded(
    family: ProcessGroups, directory: Path, server: str, port: int, *argv: object, more: dict[str, str]
) -> Iterator[Peer]:
    """A program of somebody else, which prints no port and reads no stdin: it is told the port on its command line, the
    log's path as PEER_LOG, and is ready when it answers."""
    log = directory / "sent.jsonl"
    log.touch()
    with (directory / "output.log").open("wb") as output:
        env = {**os.environ, **more, "PEER_LOG": str(log)}
        child = family.start([str(arg) for arg in argv], cwd=directory, env=env, stdout=output, stderr=output)
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/"), server, 60, lambda: child.poll() is None)
        yield Peer(server, port, log)
    finally:
        family.stop(child)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
