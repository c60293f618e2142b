"""Bad usage and targets that cannot be burnt: the exit code and one line that says what to do.

Of each exit code some cases are whole processes, and the others `burn_here`.
"""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runs.models import Run
from tests.e2e.burning import Burner, burn_here
from tests.support.processes import ROOT, Mock
from tests.support.services import reserve_port

SMALL = ("--users", "2", "--conversations", "2")


@pytest.fixture(scope="module")
def burn(migrated: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Burner:
    return Burner(migrated(tmp_path_factory.mktemp("var")))


def openai(url: str) -> tuple[str, ...]:
    return ("--url", f"{url}/v1", "--preset", "openai-chat")


@pytest.fixture
def closed() -> tuple[str, ...]:
    """A target that is not there: whatever is refused before it is dialled must not depend on it."""
    return openai(f"http://127.0.0.1:{reserve_port()}")


def recorded_runs(burn: Burner) -> int:
    path = burn.var_dir / "tokenburn.sqlite3"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        return database.execute("SELECT count(*) FROM runs_run").fetchone()[0] if "runs_run" in tables else 0


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--preset", "opnai", "--prompt", "x"), "unknown preset 'opnai': choose one of"),
        (("--prompt", "x", "--threshold", "ttft<500"), "did you mean 'ttft_ms.p95<500'?"),
        (("--prompt", "x", "--json", "/no/such/folder/a.json"), "create it first"),
        (("--scenario", "/no/such/file.json"), "/no/such/file.json"),
        (("--scenario", "no-such-scenario"), "no-such-scenario"),
        (("--prompt", "x", "--processes", "9"), "give at most 2"),
    ],
)
def test_bad_usage_exits_2_with_one_line(argv: tuple[str, ...], says: str, closed: tuple[str, ...], db: None) -> None:
    given = closed if "--preset" not in argv else closed[:2]
    burnt = burn_here(*given, *SMALL, *argv)
    assert burnt.code == 2
    assert says in burnt.line
    assert burnt.out == ""
    assert not Run.objects.exists()


def test_a_scenario_file_that_is_none_says_where(
    burn: Burner, closed: tuple[str, ...], tmp_path: Path, db: None
) -> None:
    path = tmp_path / "mine.json"
    for text in ("{", "[]", '{"name": "x", "steps": []}', "\udcff"):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        burnt = burn_here(*closed, *SMALL, "--scenario", str(path))
        assert burnt.code == 2
        assert "mine.json" in burnt.line
    before = recorded_runs(burn)
    typed = burn(*closed, *SMALL, "--scenario", str(path))
    assert (typed, recorded_runs(burn)) == (burnt, before)


def test_an_unknown_option_exits_2_with_one_line(burn: Burner) -> None:
    burnt = burn("--url", "http://127.0.0.1:1", "--presets", "x")
    assert burnt.code == 2
    assert "--presets" in burnt.line


def test_an_unknown_target_says_how_to_go_on(db: None) -> None:
    burnt = burn_here("--target", "staging", "--prompt", "x", *SMALL)
    assert burnt.code == 2
    assert "there is no target 'staging'" in burnt.line


def test_a_refused_connection_exits_3_before_anything_is_recorded(
    burn: Burner, closed: tuple[str, ...], tmp_path: Path
) -> None:
    before = recorded_runs(burn)
    burnt = burn(*closed, *SMALL, "--prompt", "x", "--junit", str(tmp_path / "r.xml"), "--json", "-")
    assert burnt.code == 3
    assert "connect_refused" in (tmp_path / "r.xml").read_text()
    assert burnt.report()["run"]["reason"] == burnt.line
    assert "connect_refused" in burnt.line
    assert "start the target" in burnt.line
    assert recorded_runs(burn) == before


def test_an_unknown_host_exits_3(db: None) -> None:
    burnt = burn_here(*openai("http://no-such-host.invalid"), *SMALL, "--prompt", "x")
    assert burnt.code == 3
    assert "check the host name" in burnt.line


def test_a_blocked_address_exits_3(db: None) -> None:
    burnt = burn_here(*openai("http://169.254.169.254"), *SMALL, "--prompt", "x")
    assert burnt.code == 3
    assert "no setting allows" in burnt.line


@pytest.fixture
def not_tls() -> Iterator[int]:
    """A port that answers a TLS hello with something else, once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(100)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_tls_failure_exits_3(not_tls: int, db: None) -> None:
    burnt = burn_here(*openai(f"https://127.0.0.1:{not_tls}"), *SMALL, "--prompt", "x")
    assert burnt.code == 3
    assert "tls_failed" in burnt.line
    assert "https or http?" in burnt.line


def test_a_missing_key_exits_3_and_names_the_variable(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--api-key", "right", "--error-rate", "0", "--delay-ms", "0")
    burnt = burn(*openai(mock.url), "--users", "20", "--duration", "60s", "--prompt", "x")
    assert burnt.code == 3
    assert "http_401" in burnt.line
    assert "TOKENBURN_SECRET_API_KEY" in burnt.line
    again = burn(*openai(mock.url), *SMALL, "--prompt", "x", TOKENBURN_SECRET_API_KEY="right")
    assert (again.code, again.err) == (0, "")
    assert "right" not in again.out
    for path in burn.var_dir.rglob("*"):
        assert not path.is_file() or b"Bearer right" not in path.read_bytes(), path


def test_a_wrong_path_exits_3_and_says_what_to_check(burn: Burner, start_mock: Callable[..., Mock]) -> None:
    mock = start_mock("--error-rate", "0", "--delay-ms", "0")
    burnt = burn(
        "--url", f"{mock.url}/v9", "--preset", "openai-chat", "--users", "5", "--duration", "60s", "--prompt", "x"
    )
    assert burnt.code == 3
    assert "http_404" in burnt.line
    assert "check the base URL" in burnt.line


def test_workers_without_a_broker_exit_3(burn: Burner, closed: tuple[str, ...]) -> None:
    nobody = f"redis://127.0.0.1:{reserve_port()}/0"
    burnt = burn(*closed, *SMALL, "--prompt", "x", "--workers", REDIS_URL=nobody)
    assert burnt.code == 3
    assert "manage.py up" in burnt.line


def test_help_is_quick_and_complete(burn: Burner) -> None:
    burnt = burn("--help")
    assert (burnt.code, burnt.err) == (0, "")
    for word in ("--scenario", "--threshold", "TOKENBURN_SECRET_API_KEY", "exit codes", "examples"):
        assert word in burnt.out
    assert max(map(len, burnt.out.splitlines())) <= 100


def test_nothing_heavy_is_loaded_before_the_first_request(burn: Burner) -> None:
    heavy = ("pandas", "daphne", "unfold", "rest_framework", "psycopg", "mock_chatbot")
    code = (
        "import sys, django; django.setup(); import tokenburn_site.cli.burn.main;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    env = burn.environment(DJANGO_SETTINGS_MODULE="tokenburn_site.settings_cli")
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
