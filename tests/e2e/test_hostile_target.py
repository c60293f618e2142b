"""Whatever a target says, commands write it to terminals, pipes and Markdown as harmless text."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.e2e.burning import LIMIT_S, Burner
from tests.support.attacks.planted import PROTO
from tests.support.processes import ROOT
from tests.support.servers.hostile_target import FORGED, HOSTILE, hostile_target

GRPC = json.dumps({"grpc": {"method": "echo.Chat/Ask", "proto": PROTO}})
KINDS = {
    "http": ("generic-json",),
    "ws": ("generic-websocket",),
    "socketio": ("generic-socketio",),
    "grpc": ("generic-grpc", "--overrides", "grpc.json"),
}
OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.fixture(scope="module")
def target() -> Iterator[dict[str, str]]:
    with hostile_target() as found:
        yield found


@pytest.fixture(scope="module")
def var_dir(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated(tmp_path_factory.mktemp("var"))


def run(var_dir: Path, command: str, kind: str, url: str, *argv: str) -> str:
    """Everything it wrote."""
    overrides = var_dir / "grpc.json"
    overrides.write_text(GRPC)
    preset, *more = (str(overrides) if word == "grpc.json" else word for word in KINDS[kind])
    done = subprocess.run(
        [sys.executable, "manage.py", command, "--url", url, "--preset", preset, *more, *argv],
        cwd=ROOT,
        env=Burner(var_dir).environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    return done.stdout.decode("utf-8", "surrogateescape")


def assert_harmless(text: str) -> None:
    found = {hex(ord(letter)) for letter in text if letter != "\n" and unicodedata.category(letter) in OBEYED}
    assert not found, (found, text)
    assert not [line for line in text.splitlines() if line.startswith(FORGED)], text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lane", ["load", "reference"])
def test_a_probe_writes_only_harmless_text(kind: str, lane: str, var_dir: Path, target: dict[str, str]) -> None:
    prompts = ["--prompt", "Hello"] * 6
    text = run(var_dir, "probe", kind, target[kind], "--lane", lane, *prompts)
    assert "\\x1b" in text and "\\u202e" in text
    assert_harmless(text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_writes_only_harmless_text_and_valid_files(
    kind: str, var_dir: Path, target: dict[str, str], tmp_path: Path
) -> None:
    files = {name: tmp_path / f"r.{name}" for name in ("json", "junit", "markdown")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    text = run(
        var_dir,
        "burn",
        kind,
        target[kind],
        "--prompt",
        "x",
        "--users",
        "2",
        "--conversations",
        "12",
        "--per-user",
        *options,
    )
    assert "e2e_ms" in text, text
    assert_harmless(text)
    assert_harmless(files["markdown"].read_text())
    assert "@everyone" not in files["markdown"].read_text()
    ElementTree.fromstring(files["junit"].read_bytes())
    reasons = json.loads(files["json"].read_bytes())["answers"]["finish_reasons"]
    if kind != "grpc":  # whose answer has only a text
        assert any("\\x1b]0;owned" in reason for reason in reasons), reasons
        assert all(reason.isprintable() for reason in reasons), reasons


def test_names_of_the_command_line_and_of_files_are_harmless_too(
    var_dir: Path, target: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"name": HOSTILE[:40], "steps": [{"say": "x"}], "\x1b[2J": HOSTILE}))
    text = run(var_dir, "burn", "http", target["http"], "--scenario", str(path), "--conversations", "1", "--users", "1")
    assert "\\x1b" in text
    assert_harmless(text)
