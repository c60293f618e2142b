"""Where `manage.py up` takes the administrator's password from."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from tokenburn_site.local.errors import LocalServiceError
from tokenburn_site.management.commands import up

TEXT = "a chosen password"


def password(*argv: str) -> str | None:
    given: dict[str, Any] = vars(up.Command().create_parser("manage.py", "up").parse_args(argv))
    return up._password(given)


@pytest.fixture(autouse=True)
def without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKENBURN_ADMIN_PASSWORD", raising=False)


def test_none_is_given() -> None:
    assert password() is None


def test_the_environment_a_file_stdin_and_a_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_text(f"{TEXT}\r\nsecond line\n")
    assert password("--admin-password-file", str(path)) == TEXT
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TEXT}\n"))
    assert password("--admin-password-file", "-") == TEXT
    monkeypatch.setattr(up, "getpass", lambda _: TEXT)
    assert password("--ask-admin-password") == TEXT
    monkeypatch.setenv("TOKENBURN_ADMIN_PASSWORD", TEXT)
    assert password() == TEXT


def test_the_option_that_others_can_read_works_with_a_warning_and_is_not_offered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert password("--admin-password", TEXT) == TEXT
    err = capsys.readouterr().err
    assert err.startswith("up: --admin-password shows the password") and TEXT not in err
    assert "--admin-password " not in up.Command().create_parser("manage.py", "up").format_help()


@pytest.mark.parametrize("content", [None, "", "\nsecond"])
def test_a_file_without_a_password_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LocalServiceError, match="--admin-password-file"):
        password("--admin-password-file", str(path))
