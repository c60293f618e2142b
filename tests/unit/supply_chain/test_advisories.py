"""Advisories: OSV's rules for versions, the forms of a database, and what the command says and returns."""

from __future__ import annotations

import json
import tarfile
import zipfile
from datetime import date
from pathlib import Path

import pytest
import yaml

from supply_chain.advisories import FOUND, NONE, STALE, UNUSABLE, findings, is_affected, main
from supply_chain.database import Affected, keep, kept, read
from supply_chain.locked import Pin

DIGEST = "a" * 64
OSV = {
    "id": "PYSEC-2026-1",
    "modified": "2026-11-20T10:00:00Z",
    "aliases": ["CVE-2026-1"],
    "details": "Reads beyond the end.\nMore of it.",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Some.Package"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0.1"}]},
            ],
        }
    ],
}
TODAY = date(2026, 11, 30)


def part(*events: dict[str, str], versions: tuple[str, ...] = ()) -> Affected:
    return Affected(package="p", ranges=[list(events)] if events else [], versions=list(versions))


@pytest.mark.parametrize(
    ("version", "affected", "expected"),
    [
        ("2.0", part({"introduced": "0"}, {"fixed": "2.0.1"}), True),
        ("2.0.1", part({"introduced": "0"}, {"fixed": "2.0.1"}), False),
        ("2.0.1rc1", part({"introduced": "0"}, {"fixed": "2.0.1"}), True),
        ("2.10", part({"introduced": "2.9"}), True),
        ("1.9", part({"introduced": "2.9"}), False),
        ("3.0", part({"introduced": "1"}, {"last_affected": "3.0"}), True),
        ("3.1", part({"introduced": "1"}, {"last_affected": "3.0"}), False),
        ("4.3", part({"fixed": "4.2.16"}, {"introduced": "4.2"}, {"fixed": "5.0.8"}, {"introduced": "5.0"}), False),
        ("5.0.7", part({"introduced": "4.2"}, {"fixed": "4.2.16"}, {"introduced": "5.0"}, {"fixed": "5.0.8"}), True),
        ("1.1", part(versions=("1.0", "1.1")), True),
        ("1.2", part(versions=("1.0", "1.1")), False),
        ("1.0", part({"introduced": "no version at all"}), True),
    ],
)
def test_a_version_is_affected_as_osv_defines_it(version: str, affected: Affected, expected: bool) -> None:
    assert is_affected(version, affected) is expected


def written(folder: Path, form: str) -> Path:
    """A database with one advisory about Some.Package and one that was withdrawn."""
    withdrawn = OSV | {"id": "PYSEC-2026-2", "withdrawn": "2026-11-21T00:00:00Z"}
    folder.mkdir()
    for entry in (OSV, withdrawn):
        text = yaml.safe_dump(entry) if form == "yaml" else json.dumps(entry)
        (folder / f"{entry['id']}.{'yaml' if form == 'yaml' else 'json'}").write_text(text, "utf-8")
    (folder / "README.md").write_text("no advisory")
    if form == "zip":
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
        return folder.with_suffix(".zip")
    if form == "tar":
        with tarfile.open(folder.with_suffix(".tar.gz"), "w:gz") as packed:
            packed.add(folder, "database")
        return folder.with_suffix(".tar.gz")
    return folder


@pytest.mark.parametrize("form", ["json", "yaml", "zip", "tar"])
def test_every_form_of_a_database_is_read(tmp_path: Path, form: str) -> None:
    database = read(written(tmp_path / "database", form))
    (entry,) = database["advisories"]
    assert database["newest"] == "2026-11-20"
    assert entry["id"] == "PYSEC-2026-1"
    assert entry["summary"] == "Reads beyond the end."
    (affected,) = entry["affected"]
    assert affected == part({"introduced": "0"}, {"fixed": "2.0.1"}) | {"package": "some-package"}


def lock(tmp_path: Path, version: str) -> str:
    path = tmp_path / "lock.txt"
    path.write_text(f"some_package=={version} ; python_version > '3' \\\n    --hash=sha256:{DIGEST}\n")
    return str(path)


@pytest.mark.parametrize(
    ("version", "today", "code", "said"),
    [
        ("2.0.0", TODAY, FOUND, "some-package 2.0.0: PYSEC-2026-1, CVE-2026-1: Reads beyond the end."),
        ("2.0.1", TODAY, NONE, "No advisory of this database names a pinned version."),
        ("2.0.1", date(2027, 1, 1), STALE, "it knows no advisory of the time since"),
        ("2.0.0", date(2027, 1, 1), FOUND, "it knows no advisory of the time since"),
    ],
)
def test_the_command_says_what_it_knows_and_how_old_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: str, today: date, code: int, said: str
) -> None:
    where = ["--database", str(written(tmp_path / "database", "json")), "--lock", lock(tmp_path, version)]
    assert main(where, today=today) == code
    printed = capsys.readouterr().out
    assert said in printed
    assert "the newest entry is of 2026-11-20" in printed


@pytest.mark.parametrize("wrong", ["missing", "empty", "range"])
def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "range").write_text("django>=5\n")
    where = ["--lock", str(tmp_path / "range")] if wrong == "range" else ["--database", str(tmp_path / wrong)]
    assert main(where, today=TODAY) == UNUSABLE
    assert wrong in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", "{", "a.json is no advisory in OSV format"),
        ("a.yaml", "id: [", "a.yaml is no advisory in OSV format"),
        ("a.json", json.dumps(OSV | {"affected": ["x"]}), "a.json is no advisory in OSV format"),
        ("a.json", json.dumps(OSV | {"affected": [{"package": {"ecosystem": "PyPI"}}]}), "a.json is no advisory"),
        ("a.json", json.dumps(OSV | {"modified": "yesterday"}), "a.json is no advisory in OSV format"),
    ],
)
def test_a_file_that_is_no_advisory_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, says: str
) -> None:
    database = written(tmp_path / "database", "json")
    (database / name).write_text(text)
    assert main(["--database", str(database), "--lock", lock(tmp_path, "2.0.0")], today=TODAY) == UNUSABLE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_a_damaged_archive_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    database = written(tmp_path / "database", form)
    data = database.read_bytes()
    middle = len(data) // 3
    database.write_bytes(data[: 2 * middle] if form == "tar" else data[:middle] + bytes(20) + data[middle + 20 :])
    assert main(["--database", str(database), "--lock", lock(tmp_path, "2.0.0")], today=TODAY) == UNUSABLE
    assert f"{database} is damaged" in capsys.readouterr().err


def test_a_new_copy_replaces_the_one_in_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = read(written(tmp_path / "database", "json"))
    keep(database, tmp_path / "kept.gz")
    assert kept(tmp_path / "kept.gz") == database
    assert kept()["advisories"] != database["advisories"]


def test_the_copy_in_the_tree_knows_old_faults() -> None:
    """A pin that is known to be unsafe is found by it."""
    pins = [Pin("django", "5.0.7", (DIGEST,), "")]
    assert "CVE-2024-42005" in {alias for found in findings(pins, kept()) for alias in found.aliases}
