"""Attachments from files beside a scenario to the chatbot, by the chatbot's own count, on both lanes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from attachments.generated import generated
from tests.e2e.burning import Burner
from tests.support.processes import Mock

FAULTLESS = ("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "0", "--tokens", "3")
PHOTO = 300_000
SOUND = 1_000_000
MADE = "[generated.wav, audio/wav, 1,000,000 bytes]"


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def test_files_go_with_their_message_and_again_with_the_history(
    burn: Burner, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock(*FAULTLESS)
    (tmp_path / "cat.png").write_bytes(generated("png", PHOTO, "a").data)
    look = {"do": "say", "text": "Look", "attachments": ["cat", {"generate": "wav", "bytes": SOUND}]}
    scenario = {"files": {"cat": {"path": "cat.png"}}, "steps": [look, {"do": "say", "text": "And?"}]}
    (tmp_path / "look.json").write_text(json.dumps(scenario))
    target = (
        "--url",
        f"{mock.url}/v1",
        "--scenario",
        str(tmp_path / "look.json"),
        "--users",
        "2",
        "--conversations",
        "4",
    )
    burnt = burn(*target, "--preset", "openai-chat", "--model", "m", "--stream", "--json", "-")
    assert burnt.code == 0, burnt.err
    report, counted = burnt.report(), mock.stats()
    turns = counted["chat_requests"]
    assert report["turns"]["ok"] == 8 and turns % 2 == 0
    assert counted["attachments"] == 2 * turns and counted["attachment_bytes"] == turns * (PHOTO + SOUND)
    texts = [path.read_text() for path in burn.var_dir.rglob("*.jsonl")]
    assert max(map(len, texts)) < 100_000
    lines = [line for text in texts for line in map(json.loads, text.splitlines()) if line["k"] == "turn"]
    assert min(line["outb"] for line in lines) > (PHOTO + SOUND) * 4 // 3
    assert any(line["msg"] == f"Look\n[cat.png, image/png, 300,000 bytes]\n{MADE}" for line in lines)
    assert len(lines) == turns

    refused = burn(*target, "--preset", "rasa-rest")
    assert refused.code == 2 and "takes no attachments" in refused.err and mock.stats()["chat_requests"] == turns
