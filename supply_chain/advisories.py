"""Compare the pinned packages with known advisories, without a network: `make advisories`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from supply_chain.database import Affected, Database, keep, kept, read
from supply_chain.locked import LOCKS, Pin, pins

MAX_AGE_DAYS = 30
NONE, FOUND, UNUSABLE, STALE = range(4)
"""Exit codes."""


class Finding(NamedTuple):
    """A pinned version that an advisory names."""

    pin: Pin
    advisory: str
    aliases: tuple[str, ...]
    fixed: tuple[str, ...]
    summary: str


def main(argv: Sequence[str] | None = None, today: date | None = None) -> int:
    asked = _parser().parse_args(argv)
    try:
        if asked.update:
            keep(read(asked.update))
        database = read(asked.database) if asked.database else kept()
        pinned = list({pin[:2]: pin for lock in asked.lock or LOCKS for pin in pins(lock)}.values())
    except (OSError, ValueError) as exc:
        print(f"advisories: {exc}", file=sys.stderr)
        return UNUSABLE
    found = sorted(findings(pinned, database))
    age = ((today or datetime.now(UTC).date()) - date.fromisoformat(database["newest"])).days
    print(
        f"Compared {len(pinned)} pinned versions with {len(database['advisories']):,} advisories "
        f"({database['source']}; the newest entry is of {database['newest']}, {age} days ago)."
    )
    for entry in found:
        names = ", ".join((entry.advisory, *entry.aliases))
        mended = f"fixed in {' and '.join(entry.fixed)}" if entry.fixed else "no fixed version is named"
        print(f"{entry.pin.name} {entry.pin.version}: {names}: {entry.summary} ({mended})")
    print(f"{len(found)} found." if found else "No advisory of this database names a pinned version.")
    if age > asked.max_age_days:
        print(
            f"The database is older than {asked.max_age_days} days: it knows no advisory of the time since. "
            "Get a new copy and give it: make advisories ARGS='--update FOLDER_OR_ZIP'; see SECURITY.md."
        )
    return FOUND if found else STALE if age > asked.max_age_days else NONE


def findings(pinned: Iterable[Pin], database: Database) -> Iterator[Finding]:
    by_name: dict[str, list[Pin]] = {}
    for pin in pinned:
        by_name.setdefault(pin.name, []).append(pin)
    for advisory in database["advisories"]:
        for part in advisory["affected"]:
            for pin in by_name.get(part["package"], ()):
                if is_affected(pin.version, part):
                    fixed = tuple(event["fixed"] for events in part["ranges"] for event in events if "fixed" in event)
                    yield Finding(pin, advisory["id"], tuple(advisory["aliases"]), fixed, advisory["summary"])


def is_affected(version: str, part: Affected) -> bool:
    """By OSV's rules. A bound that cannot be compared counts as reached, so that a person looks."""
    return version in part["versions"] or any(_in_range(Version(version), events) for events in part["ranges"])


def _in_range(version: Version, events: Iterable[dict[str, str]]) -> bool:
    inside = False
    for kind, said in sorted(((k, v) for event in events for k, v in event.items()), key=_order):
        try:
            bound = Version(said)
        except InvalidVersion:
            return True
        if kind == "introduced" and version >= bound:
            inside = True
        elif (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound):
            inside = False
    return inside


def _order(event: tuple[str, str]) -> tuple[Version, bool]:
    """What begins at a version comes before what ends there."""
    try:
        return Version(event[1]), event[0] != "introduced"
    except InvalidVersion:
        return Version("0"), False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="advisories",
        description="Compare the pinned packages with known advisories, without a network.",
        epilog=f"Exit codes: {NONE} nothing found; {FOUND} found; {UNUSABLE} a file cannot be read; "
        f"{STALE} nothing found, but the database is too old to tell.",
    )
    parser.add_argument("--database", type=Path, metavar="PATH", help="folder, zip or tar file in OSV format")
    parser.add_argument("--update", type=Path, metavar="PATH", help="replace the copy in the tree by this one first")
    parser.add_argument("--lock", type=Path, action="append", metavar="FILE", help="lock file; repeatable")
    parser.add_argument("--max-age-days", type=int, default=MAX_AGE_DAYS, metavar="N", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
