"""Only ordinary files are read, and no more than a limit of them."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from bounds.files import FileError, read_ordinary
from connectors.errors import ConnectFailed
from connectors.grpc.channel import credentials
from connectors.security.pem_files import MOST_BYTES, pem_path
from connectors.security.tls import tls_context
from connectors.spec import TlsSpec
from scenarios.definition.spec import ScenarioError
from scenarios.importers.reading import open_source


@pytest.fixture(params=["zero", "fifo", "waiting fifo", "socket", "folder", "proc", "proc link", "sys", "big", "null"])
def bad_path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "it.pem"
    match request.param:
        case "zero":
            path.symlink_to("/dev/zero")
        case "fifo":
            os.mkfifo(path)
        case "waiting fifo":
            os.mkfifo(path)
            writer = os.open(path, os.O_RDWR)
            request.addfinalizer(lambda: os.close(writer))
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
        case "folder":
            path.mkdir()
        case "proc":
            return "/proc/self/environ"
        case "proc link":
            path.symlink_to("/proc/self/status")
        case "sys":
            return "/sys/kernel/mm/transparent_hugepage/enabled"
        case "big":
            with path.open("wb") as file:
                file.truncate(MOST_BYTES * 2000)
        case _:
            return f"{path}\0"
    return str(path)


def test_what_is_no_ordinary_file_is_not_read(bad_path: str) -> None:
    begun = time.monotonic()
    with pytest.raises(FileError):
        read_ordinary(bad_path, MOST_BYTES)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("field", ["ca_file", "key_file", "cert_file"])
@pytest.mark.parametrize("protocol", ["grpc", "others"])
def test_a_target_names_no_such_file(bad_path: str, field: str, protocol: str, tmp_path: Path) -> None:
    """And the error is that of a file that does not exist, so that it does not tell what exists."""

    def error(path: str) -> str:
        files = {"cert_file": path if field == "cert_file" else None, field: path}
        if field == "key_file":
            files["cert_file"] = path
        with pytest.raises(ConnectFailed) as caught:
            (credentials if protocol == "grpc" else tls_context)(TlsSpec(**files))
        return f"{caught.value.code} {caught.value.detail} {caught.value.advice}".replace(path, "PATH")

    text = tmp_path / "text.pem"
    text.write_text("root:x:0:0\n")
    folder = tmp_path / "shut"
    folder.mkdir(mode=0)
    assert error(bad_path) == error(str(tmp_path / "none.pem")) == error(str(text)) == error(str(folder / "a.pem"))


def test_a_scenario_reads_no_such_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    for path in (tmp_path / "rows.csv", Path("/dev/zero"), Path("/proc/self/status"), tmp_path):
        with pytest.raises(ScenarioError, match="not an ordinary file"), open_source(path):
            pass


def test_what_a_library_reads_is_what_was_judged(tmp_path: Path) -> None:
    """A file that is exchanged in between has no effect."""
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    with pem_path("ca_file", str(file)) as path:
        file.unlink()
        file.symlink_to("/dev/zero")
        assert Path(path).read_text("ascii") == "-----BEGIN CERTIFICATE-----\n"
