"""What the environment may set, and what happens when it is wrong."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tokenburn_site.config.env import PATIENCE, Env, database_config
from tokenburn_site.config.keys import BadEnvironment
from tokenburn_site.config.oidc import OidcEnv

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "TOKENBURN_VAR_DIR", "TOKENBURN_ENV_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_set_gives_a_site_that_is_closed_and_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = Env.read()
    assert env.debug is False and env.secret_key is None and env.database_url is None
    assert env.allowed_hosts == ["127.0.0.1", "localhost", "[::1]"]
    assert "redis_url" not in env.model_fields_set


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("TOKENBURN_TIME_ZONE=Europe/Berlin\nREDIS_URL=redis://file/0\nUNRELATED=1\n")
    monkeypatch.setenv("REDIS_URL", "redis://environment/0")
    env = Env.read()
    assert (env.time_zone, env.redis_url) == ("Europe/Berlin", "redis://environment/0")


def test_an_empty_file_name_means_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("TOKENBURN_DEBUG=true\n")
    monkeypatch.setenv("TOKENBURN_ENV_FILE", "")
    assert Env.read().debug is False


@pytest.mark.parametrize(("name", "value"), [("TOKENBURN_DEBUG", "maybe"), ("TOKENBURN_LOG_LEVEL", "loud")])
def test_a_wrong_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadEnvironment, match=name) as caught:
        Env.read()
    assert "\n" not in str(caught.value) and value not in str(caught.value)


@pytest.mark.parametrize("value", ["10.0.0.0/8", '["10.0.0.1/8"]', "some"])
def test_private_addresses_in_a_wrong_form_are_told_with_the_right_one(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENBURN_ALLOW_PRIVATE", value)
    with pytest.raises(BadEnvironment) as caught:
        Env.read()
    told = 'TOKENBURN_ALLOW_PRIVATE: give true, false or a list of networks, such as ["10.20.0.0/16"]'
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("name", "value"), [("TOKENBURN_ALLOWED_HOSTS", "a.example"), ("TOKENBURN_OIDC_GROUPS", "staff=operator")]
)
def test_what_must_be_json_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadEnvironment, match=f"^{name}: this is not JSON: write a list as") as caught:
        [Env.read(), OidcEnv.read()]
    assert "\n" not in str(caught.value) and value not in str(caught.value)


def test_a_directory_that_cannot_be_made_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBURN_VAR_DIR", "/dev/null/var")
    with pytest.raises(BadEnvironment, match=r"^/dev/null/var: .*: set TOKENBURN_VAR_DIR to a directory of your own$"):
        Env.read().prepare_dir(Path("/unused"))


def test_secrets_do_not_show_in_a_printed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBURN_SECRET_KEY", "hunter2")
    monkeypatch.setenv("TOKENBURN_KEYS", f"one:{KEY}")
    assert "hunter2" not in repr(Env.read()) and KEY not in repr(Env.read())


def test_sqlite_waits_for_its_turn_and_postgres_takes_no_sqlite_options() -> None:
    assert database_config("sqlite:////tmp/x.sqlite3")["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    config = database_config("postgres://u:p@host:5433/name")
    assert (config["HOST"], config["PORT"], config["NAME"], config["OPTIONS"]) == ("host", 5433, "name", PATIENCE)
    given = database_config("postgres://u@host/name?connect_timeout=60")["OPTIONS"]
    assert given == {**PATIENCE, "connect_timeout": 60}


def test_an_unknown_kind_of_database_is_said_without_its_password() -> None:
    with pytest.raises(BadEnvironment, match="'foo': only PostgreSQL and SQLite are supported") as caught:
        database_config("foo://u:geheim@host/name")
    assert "geheim" not in str(caught.value)
