"""Keys of a site: created once, read completely by concurrent processes, refused in one line when they are wrong."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.processes import ROOT, child_env
from tokenburn_site.config import keys
from tokenburn_site.config.checks import check_keys
from tokenburn_site.config.keys import BadEnvironment, add_development_key, development_key, keyring

KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_development_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = development_key(path)
    assert development_key(path) == first
    assert mode(path) == 0o600
    assert len(base64.b64decode(first)) == 32


def test_all_who_come_at_the_same_time_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            assert len(set(pool.map(development_key, [tmp_path / f"key{number}"] * 8))) == 1


def test_a_new_development_key_seals_and_the_old_ones_still_open(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old = keyring(None, path)
    names = [add_development_key(path), old[0][0]]
    ring = keyring(None, path)
    assert [name for name, _ in ring] == names
    assert ring[1:] == old
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_first_key_of_the_ring_seals(tmp_path: Path) -> None:
    ring = keyring(SecretStr(f"new:{KEY}, old:{OTHER}"), tmp_path / "unused")
    assert [name for name, _ in ring] == ["new", "old"]
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize("text", ["", "one", "one:%%%", f":{KEY}", "one:c2hvcnQ=", f"one:{KEY},one:{OTHER}", f"{KEY}"])
def test_a_malformed_key_is_refused_without_being_shown(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadEnvironment, match=r"^TOKENBURN_KEYS: ") as caught:
        keyring(SecretStr(text), tmp_path / "unused")
    said = str(caught.value)
    assert KEY not in said and "c2hvcnQ" not in said and "\n" not in said


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"c2hvcnQ=", "has 5 bytes"), (b"\xff%", "not base64")]
)
def test_a_key_file_that_holds_none_is_never_replaced(
    content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "WRITTEN_WITHIN_S", 0.05)
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(BadEnvironment, match=said) as caught:
        keyring(None, path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_written_is_refused_in_one_line() -> None:
    with pytest.raises(BadEnvironment, match=r"^/dev/null/key: Not a directory: set TOKENBURN_VAR_DIR"):
        development_key(Path("/dev/null/key"))


def manage(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *argv],
        cwd=ROOT,
        env=child_env(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"TOKENBURN_KEYS": "one:short"}, "TOKENBURN_KEYS: key 'one'"),
        ({"TOKENBURN_VAR_DIR": "/dev/null/var"}, "/dev/null/var: Not a directory"),
        ({"TOKENBURN_DEBUG": "perhaps"}, "TOKENBURN_DEBUG: "),
    ],
)
@pytest.mark.parametrize("command", ["check", "burn", "up"])
def test_no_command_answers_a_wrong_environment_with_a_traceback(command: str, env: dict[str, str], said: str) -> None:
    done = manage(command, **env)
    assert done.returncode == 2
    assert done.stderr.startswith(f"manage.py: {said}")
    assert done.stderr.count("\n") == 1


def test_development_keys_are_warned_of_and_given_ones_are_not(settings: Any, tmp_path: Path) -> None:
    settings.KEYRING_FILE = tmp_path / "key"
    development_key(settings.KEYRING_FILE)
    assert [message.id for message in check_keys(None)] == ["tokenburn.W001"]
    settings.KEYRING_FILE.chmod(0o640)
    assert [message.id for message in check_keys(None)] == ["tokenburn.W001", "tokenburn.W002"]
    settings.KEYRING_GIVEN = True
    assert check_keys(None) == []
