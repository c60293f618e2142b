"""`probe --learn`: reads the inputs, prints the proposal, writes it, and gives what is needed to try it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from targets.learning.learn import learn
from targets.learning.proposal import Proposal
from targets.learning.recorded.errors import INPUT_BYTES, LearnError
from tokenburn_site.cli.errors import BadUsage

LABEL: Final = 10
STDIN: Final = "-"


def proposed(given: Mapping[str, Any]) -> Proposal:
    """What the inputs propose. Raises BadUsage."""
    inputs = [_read(name) for name in given["learn"]]
    try:
        return learn(inputs, message=given["message"] or "", url=given["url"] or "")
    except LearnError as exc:
        raise BadUsage(f"--learn: {exc}") from exc


def _read(name: str) -> bytes:
    """At most one byte more than is allowed, which `learn` refuses."""
    try:
        if name == STDIN:
            return sys.stdin.buffer.read(INPUT_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(INPUT_BYTES + 1)
    except OSError as exc:
        raise BadUsage(f"--learn {name}: {exc.strerror}") from exc


def write(found: Proposal, path: str) -> None:
    """Raises BadUsage."""
    text = orjson.dumps(found.target(), option=orjson.OPT_INDENT_2) + b"\n"
    try:
        Path(path).write_bytes(text)
    except OSError as exc:
        raise BadUsage(f"--write {path}: {exc.strerror}") from exc


def options_of(found: Proposal, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a probe of the proposed target."""
    return {
        **given,
        "url": None,
        "stream": False,
        "target_file": found.target(),
        "prompts": given["prompts"] or [found.message or "Hello"],
        "message": None,
        "write": None,
        "try_it": False,
    }


def secrets_of(found: Proposal, environment: Mapping[str, str]) -> dict[str, str]:
    """Those of the environment, else those that were recorded: they go where they were recorded."""
    return {**{name: value for name, value in found.secrets.items() if value}, **environment}


def proposal_lines(found: Proposal) -> Iterator[str]:
    """The proposal for a terminal."""
    yield _row("learned", found.reason)
    yield _row("address", found.url)
    if found.message:
        yield _row("message", found.message)
    if (reads := found.reading) is not None and (reads.text or not reads.error):
        counts = (("in", reads.tokens_in), ("out", reads.tokens_out))
        told = ", ".join(f"{count} tokens {name}" for name, count in counts if count is not None)
        yield _row("reads", f"{reads.text or 'no text'}{f'  ({told})' if told else ''}")
    for name in sorted(found.secrets):
        yield _row("secret", f"{name}: give it as TOKENBURN_SECRET_{name.upper()}, or in the target's credential")
    for label, texts in (("unsure", found.unsure), ("unknown", found.untold)):
        yield from (_row(label, text) for text in texts)
    yield ""
    yield from orjson.dumps(found.target(), option=orjson.OPT_INDENT_2).decode().splitlines()


def _row(label: str, text: str) -> str:
    return f"{label:<{LABEL}}{text}"
