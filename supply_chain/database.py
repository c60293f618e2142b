"""A copy of the Python advisories in OSV format: reading one, and the small one that is kept in the tree."""

from __future__ import annotations

import gzip
import json
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import yaml
from packaging.utils import canonicalize_name

KEPT = Path(__file__).with_name("advisories.json.gz")
SUMMARY_CHARS = 160
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Affected(TypedDict):
    """Versions of one package, by ranges of OSV events, and one by one."""

    package: str
    ranges: list[list[dict[str, str]]]
    versions: list[str]


class Advisory(TypedDict):
    id: str
    aliases: list[str]
    summary: str
    affected: list[Affected]


class Database(TypedDict):
    """`newest`: ISO date of the youngest change of an entry: all that one can know of the age of a copy."""

    source: str
    licence: str
    newest: str
    advisories: list[Advisory]


def kept(path: Path = KEPT) -> Database:
    """The copy in the tree."""
    database: Database = json.loads(gzip.decompress(path.read_bytes()))
    return database


def keep(database: Database, path: Path = KEPT) -> None:
    text = json.dumps(database, separators=(",", ":"), sort_keys=True).encode()
    path.write_bytes(gzip.compress(text, 9, mtime=0))


def read(source: Path) -> Database:
    """A folder, zip or tar file with one OSV document a file (JSON or YAML), such as a checkout of the Python Packaging
    Authority's advisory database or OSV's own `all.zip`. Raises ValueError if it holds no advisory, and names what
    cannot be read."""
    found: list[tuple[datetime, Advisory]] = []
    try:
        for name, text in _files(source):
            found += _advisories(name, text)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as exc:
        raise ValueError(f"{source} is damaged: {exc}") from exc
    if not found:
        raise ValueError(f"{source} holds no advisories about Python packages in OSV format")
    return Database(
        source="PyPA advisory database, CVE and GitHub ids by alias",
        licence="CC-BY-4.0",
        newest=max(when for when, _ in found).date().isoformat(),
        advisories=sorted((entry for _, entry in found), key=lambda entry: entry["id"]),
    )


def _advisories(name: str, text: bytes) -> Iterator[tuple[datetime, Advisory]]:
    """The advisory of a file with the time of its last change, unless it is withdrawn or about nothing of PyPI."""
    try:
        document: Any = json.loads(text) if name.endswith(".json") else yaml.load(text, _LOADER)  # noqa: S506  a safe one
        if not isinstance(document, dict) or "id" not in document or document.get("withdrawn"):
            return
        affected = [found for part in document.get("affected") or [] if (found := _affected(part))]
        if not affected:
            return
        aliases = sorted(map(str, document.get("aliases") or []))
        summary = str(document.get("summary") or document.get("details") or "").strip().partition("\n")[0]
        entry = Advisory(id=str(document["id"]), aliases=aliases, summary=summary[:SUMMARY_CHARS], affected=affected)
        yield _time(document.get("modified") or document.get("published")), entry
    except (AttributeError, LookupError, TypeError, ValueError, yaml.YAMLError) as exc:
        raise ValueError(f"{name} is no advisory in OSV format: {exc}") from exc


def _affected(part: dict[str, Any]) -> Affected | None:
    package = part.get("package") or {}
    if package.get("ecosystem") != "PyPI":
        return None
    ranges = [
        [{str(kind): str(version) for kind, version in event.items()} for event in found.get("events") or []]
        for found in part.get("ranges") or []
        if found.get("type") == "ECOSYSTEM"
    ]
    versions = [] if ranges else [str(version) for version in part.get("versions") or []]
    return Affected(package=canonicalize_name(str(package["name"])), ranges=ranges, versions=versions)


def _time(said: Any) -> datetime:
    when = said if isinstance(said, datetime) else datetime.fromisoformat(str(said).replace("Z", "+00:00"))
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
    kinds = (".json", ".yaml", ".yml")
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.suffix in kinds and path.is_file():
                yield path.name, path.read_bytes()
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(kinds):
                    yield name, archive.read(name)
    elif source.is_file() and tarfile.is_tarfile(source):
        with tarfile.open(source) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name.endswith(kinds) else None
                if content is not None:
                    yield member.name, content.read()
    else:
        raise ValueError(f"{source} is no folder, zip or tar file")
