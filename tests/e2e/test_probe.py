"""`manage.py probe` as a person types it: what it shows, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.burning import LIMIT_S, Burner
from tests.support.processes import ROOT, Mock
from tokenburn_site.management.commands.probe import Command

KEY = "sk-planted-77ab"
QUICK = ("--error-rate", "0", "--delay-ms", "0", "--itl-ms", "1", "--tokens", "5", "--seed", "1")


def run(var_dir: Path, *argv: str, **extra: str) -> subprocess.CompletedProcess[str]:
    env = Burner(var_dir).environment(**extra)
    command = [sys.executable, "manage.py", "probe", *argv]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)


@pytest.mark.parametrize("lane", ["reference", "load"])
def test_it_shows_the_request_each_frame_and_what_they_gave(
    lane: str, start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock(*QUICK, "--api-key", KEY)
    target = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--stream", "--lane", lane)
    done = run(tmp_path, *target, "--prompt", "Hello", "--prompt", "And you?", TOKENBURN_SECRET_API_KEY=KEY)
    assert (done.returncode, done.stderr) == (0, "")
    assert KEY not in done.stdout
    for words in (
        "POST http://127.0.0.1",
        "Authorization: Bearer ***",
        "turn 2: And you?",
        " done            [DONE]",
        "in 5 pieces)",
        "handshake    resolve ",
        "first text ",
        "5 out",
        "every turn was answered",
    ):
        assert words in done.stdout, words


def test_json_is_the_same_and_a_failed_turn_exits_3_with_advice(
    start_mock: Callable[..., Mock], tmp_path: Path
) -> None:
    mock = start_mock(*QUICK, "--api-key", KEY)
    target = ("--url", f"{mock.url}/v1", "--preset", "openai-chat", "--prompt", "Hello", "--json")
    done = run(tmp_path, *target)
    found = json.loads(done.stdout)
    error = found["turns"][0]["error"]
    assert (done.returncode, found["ok"], error["code"]) == (3, False, "http_401")
    assert "TOKENBURN_SECRET_API_KEY" in error["advice"]
    assert found["turns"][0]["frames"][0]["gave"] == ["error"]


def learning(capfd: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    command = Command()
    code = 0
    try:
        command.handle(**vars(command.create_parser("manage.py", "probe").parse_args(argv)))
    except SystemExit as ended:
        code = int(str(ended.code))
    said = capfd.readouterr()
    return code, said.out, said.err


def test_a_curl_line_becomes_a_target_that_is_tried_written_and_taken_again(
    start_mock: Callable[..., Mock], tmp_path: Path, capfd: pytest.CaptureFixture[str], db: None
) -> None:
    mock = start_mock(*QUICK, "--api-key", KEY)
    body = '{"model": "m", "messages": [{"role": "user", "content": "Hello you"}], "stream": true}'
    line, file = tmp_path / "curl.txt", tmp_path / "bot.json"
    line.write_text(f"curl {mock.url}/v1/chat/completions -H 'Authorization: Bearer {KEY}' -d '{body}'")
    code, out, err = learning(capfd, "--learn", str(line), "--write", str(file), "--try")
    assert (code, err) == (0, "")
    assert KEY not in out + file.read_text()
    for words in ("the preset openai-chat", "TOKENBURN_SECRET_API_KEY", "turn 1: Hello you", "every turn was answered"):
        assert words in out, words
    assert json.loads(file.read_text())["params"] == {"model": "m"}
    code, out, _ = learning(capfd, "--target-file", str(file), "--prompt", "Hi", "--model", "other", "--json")
    found = json.loads(out)
    assert (code, found["turns"][0]["error"]["code"]) == (3, "http_401"), "secrets are given anew"
    assert '"model":"other"' in found["turns"][0]["request"]["body"]


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("--learn", "no-such-file"), 2, "probe: --learn no-such-file: No such file"),
        (("--learn", "{file}", "--preset", "vllm"), 2, "--learn finds the target: leave --preset out"),
        (("--learn", "{file}"), 3, "where the user's message is"),
        (("--learn", "{file}", "--message", "nobody said this"), 2, "no recorded request holds the message"),
        (("--learn", "{file}", "--message", "ping", "--json"), 3, "{{ message }}"),
        (("--message", "x"), 2, "--message belongs to --learn"),
        (("--target-file", "{file}", "--prompt", "x"), 2, "is not JSON"),
    ],
)
def test_learning_says_what_it_could_not_tell(
    argv: tuple[str, ...], code: int, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "curl.txt"
    file.write_text('curl https://bot.example.com/x -d \'{"a": "ping"}\'')
    ended, out, err = learning(capfd, *(word.replace("{file}", str(file)) for word in argv))
    assert (ended, err.count("\n")) == (code, int(code == 2))
    assert says in out + err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--prompt", "x"), "no target: give --url URL --preset NAME, or --target NAME"),
        (("--url", "http://127.0.0.1:9", "--preset", "openai-chat"), "no message: give --prompt TEXT"),
        (("--url", "http://127.0.0.1:9", "--preset", "opnai", "--prompt", "x"), "unknown preset 'opnai'"),
        (("--target", "nobody", "--prompt", "x"), "there is no target 'nobody'"),
        (("--url", "http://127.0.0.1:9", "--preset", "vllm", "--param", "modl=x", "--prompt", "x"), "modl"),
        (("--bogus",), "see probe --help"),
        (
            ("--url", "http://127.0.0.1:9", "--preset", "azure-openai", "--prompt", "x"),
            "needs --param deployment=gpt-4o",
        ),
        (("--presets", "--preset", "opnai"), "unknown preset 'opnai'"),
    ],
)
def test_bad_usage_exits_2_with_one_line(
    argv: tuple[str, ...], says: str, db: None, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command = Command()
        command.handle(**vars(command.create_parser("manage.py", "probe").parse_args(argv)))
    said = capfd.readouterr()
    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith("probe: ")
    assert says in said.err


def test_a_failed_turn_shows_what_the_preset_wants(capfd: pytest.CaptureFixture[str], db: None) -> None:
    code, out, _ = learning(capfd, "--url", "http://127.0.0.1:9", "--preset", "gemini", "--prompt", "x")
    assert code == 3
    for words in (
        "gemini wants an address such as https://generativelanguage",
        "secrets: api_key",
        "limits: The stream",
    ):
        assert words in out, words


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), ("base address", "openai-chat  ", "https://api.openai.com/v1", "deployment", "api_key (optional)")),
        (
            ("--preset", "vllm"),
            ("ignore_eos", "model=default", "secret    api_key: optional", "--preset vllm --stream"),
        ),
        (("--json",), ('"link": "https://', '"needs"')),
    ],
)
def test_presets_are_listed_with_what_they_need(
    argv: tuple[str, ...], says: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    command = Command()
    command.handle(**vars(command.create_parser("manage.py", "probe").parse_args(["--presets", *argv])))
    shown = capfd.readouterr().out
    assert [words for words in says if words not in shown] == []
    assert argv or max(map(len, shown.splitlines())) <= 100


def test_a_preset_without_an_address_is_shown_with_what_it_needs(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = learning(capfd, "--preset", "azure-openai")
    assert (code, err) == (0, "")
    for words in ("preset    azure-openai: ", "address   https://NAME.openai", "secret    ", "needs     deployment"):
        assert words in out, words


def test_bad_usage_is_the_same_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = run(tmp_path, "--prompt", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("probe: no target: ") and done.stderr.count("\n") == 1
